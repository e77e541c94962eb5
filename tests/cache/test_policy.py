"""Only what has one answer is answered from a cache."""

import pydantic
import pytest

from ai_gateway.cache.declared import Cache, Semantic
from ai_gateway.cache.policy import cacheable, worth

ZERO = {"temperature": 0}
FUNCTION = {"type": "function", "function": {"name": "look_up"}}


@pytest.mark.parametrize(
    ("body", "format_name", "declared", "expected"),
    [
        (ZERO, "chat", Cache(), True),
        ({"temperature": 0.0}, "chat", Cache(), True),
        ({}, "chat", Cache(), False),
        ({"temperature": None}, "chat", Cache(), False),
        ({"temperature": False}, "chat", Cache(), False),
        ({"temperature": 0.1}, "chat", Cache(), False),
        ({"temperature": 0.1}, "chat", Cache(always=True), True),
        ({"input": "text"}, "embeddings", Cache(), True),
        ({"query": "text"}, "rerank", Cache(), True),
        ({"query": {"text": "text"}}, "ranking", Cache(), True),
        ({"prompt": "a cat"}, "images", Cache(always=True), False),
        ({**ZERO, "n": 1}, "chat", Cache(), True),
        ({**ZERO, "n": 2}, "chat", Cache(always=True), False),
        ({**ZERO, "best_of": 2}, "completions", Cache(), False),
        ({**ZERO, "tools": [FUNCTION]}, "chat", Cache(), True),
        ({**ZERO, "tools": []}, "chat", Cache(), True),
        ({**ZERO, "tools": [{"name": "look_up", "input_schema": {}}]}, "messages", Cache(), True),
        ({**ZERO, "tools": [FUNCTION, {"type": "web_search"}]}, "responses", Cache(), False),
        ({**ZERO, "tools": [{"type": "bash_20250124"}]}, "messages", Cache(always=True), False),
        ({**ZERO, "tools": ["odd"]}, "chat", Cache(), False),
        ({**ZERO, "tools": {"type": "odd"}}, "chat", Cache(), False),
        ({**ZERO, "web_search_options": {"search_context_size": "low"}}, "chat", Cache(), False),
        ({**ZERO, "web_search_options": None}, "chat", Cache(), True),
        ({**ZERO, "store": False}, "chat", Cache(), True),
        ({**ZERO, "store": True}, "chat", Cache(), False),
        ({**ZERO, "previous_response_id": "r"}, "responses", Cache(always=True), False),
        ({**ZERO, "prompt": {"id": "kept elsewhere"}}, "responses", Cache(), False),
        ({**ZERO, "prompt": "Once"}, "completions", Cache(), True),
    ],
)
def test_what_may_be_answered_from_a_cache(body, format_name, declared, expected) -> None:
    """Temperature 0 or the operator's word, one choice, and nothing beyond the request."""
    assert cacheable(body, format_name, declared) is expected


@pytest.mark.parametrize(
    ("finish", "format_name", "expected"),
    [
        ("stop", "chat", True),
        ("tool_calls", "chat", True),
        ("end_turn", "messages", True),
        ("completed", "responses", True),
        ("content_filter", "chat", False),
        ("refusal", "messages", False),
        ("error", "chat", False),
        ("pause_turn", "messages", False),
        (None, "chat", False),
        (None, "embeddings", True),
    ],
)
def test_only_whole_answers_are_kept(finish, format_name, expected) -> None:
    """What a filter cut, or what broke off, is asked for again."""
    assert worth(finish, format_name) is expected


def test_a_threshold_has_bounds() -> None:
    """Below a half nothing means the same."""
    assert Semantic(model="embedder").threshold == 0.95
    with pytest.raises(pydantic.ValidationError):
        Semantic(model="embedder", threshold=0.3)
