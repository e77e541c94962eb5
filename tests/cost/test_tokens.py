"""A raw usage of any API comes out as counts that do not overlap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cost.tokens import Tokens, tokens
from ai_gateway.formats import Usage

CASES = {
    "chat": (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        Tokens(fresh=10, answer=5),
    ),
    "chat with cached and reasoning tokens, which are parts": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 300,
            "total_tokens": 1300,
            "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 200},
        },
        Tokens(fresh=200, cached=800, answer=100, reasoning=200),
    ),
    "vLLM, whose details are null": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
        },
        Tokens(fresh=10, answer=5),
    ),
    "xAI, whose reasoning comes on top of the completion": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        Tokens(fresh=32, answer=9, reasoning=94),
    ),
    "Gemini, whose thoughts stand in the total alone": (
        {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 530},
        Tokens(fresh=10, answer=520),
    ),
    "chat with a total that its parts exceed": (
        {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 5},
        Tokens(fresh=10, answer=20),
    ),
    "responses with a total beyond their parts": (
        {
            "input_tokens": 10,
            "output_tokens": 20,
            "total_tokens": 530,
            "output_tokens_details": {"reasoning_tokens": 5},
        },
        Tokens(fresh=10, answer=515, reasoning=5),
    ),
    "DeepSeek, which says hits and misses": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        Tokens(fresh=36, cached=64, answer=5),
    ),
    "OpenRouter, which says what was written": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 70},
        },
        Tokens(fresh=10, cached=20, written=70, answer=5),
    ),
    "chat with Anthropic's cache counts as parts of the prompt": (
        {
            "prompt_tokens": 98805,
            "completion_tokens": 5120,
            "total_tokens": 103925,
            "cache_read_input_tokens": 66360,
            "cache_creation_input_tokens": 32435,
        },
        Tokens(fresh=10, cached=66360, written=32435, answer=5120),
    ),
    "chat with them on top of the prompt, as the total shows": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 115,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 40,
        },
        Tokens(fresh=10, cached=60, written=40, answer=5),
    ),
    "embeddings": ({"prompt_tokens": 7, "total_tokens": 7}, Tokens(fresh=7)),
    "responses": (
        {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 150,
        },
        Tokens(fresh=40, cached=60, answer=20, reasoning=30),
    ),
    "images": (
        {"input_tokens": 9, "output_tokens": 1056, "total_tokens": 1065},
        Tokens(fresh=9, answer=1056),
    ),
    "messages, whose cache comes on top of the input": (
        {
            "input_tokens": 4,
            "cache_read_input_tokens": 1000,
            "cache_creation_input_tokens": 500,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 200,
                "ephemeral_1h_input_tokens": 300,
            },
            "output_tokens": 20,
            "server_tool_use": {"web_search_requests": 2},
        },
        Tokens(fresh=4, cached=1000, written=200, written_1h=300, answer=20, searches=2),
    ),
    "messages without a cache": (
        {"input_tokens": 4, "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 15}},
        Tokens(fresh=4, answer=5, reasoning=15),
    ),
    "messages that say only how long what was written is kept": (
        {
            "input_tokens": 4,
            "output_tokens": 1,
            "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 3},
        },
        Tokens(fresh=4, written=7, written_1h=3, answer=1),
    ),
    "a compaction, which comes on top; a declined fallback, which does not": (
        {
            "input_tokens": 23000,
            "output_tokens": 1000,
            "cache_read_input_tokens": 0,
            "iterations": [
                {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
                {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
                {"type": "fallback_message", "input_tokens": 7, "output_tokens": 7},
                "no iteration",
            ],
        },
        Tokens(fresh=203000, answer=4500),
    ),
    "iterations that are no list": (
        {"input_tokens": 1, "output_tokens": 2, "iterations": "none"},
        Tokens(fresh=1, answer=2),
    ),
    "the end of a messages stream alone": ({"output_tokens": 12}, Tokens(answer=12)),
}


@pytest.mark.parametrize("name", CASES)
def test_each_api_is_read_as_it_counts(name) -> None:
    """What is part of what, and what comes on top, is what its documentation says."""
    raw, expected = CASES[name]
    assert tokens(Usage(raw=raw)) == expected


def test_without_a_raw_usage_the_counts_are_taken() -> None:
    """Cached is counted in input there, and reasoning in output."""
    assert tokens(Usage(10, 8, 4, 3)) == Tokens(fresh=6, cached=4, answer=5, reasoning=3)
    assert tokens(Usage(input=10)) == Tokens(fresh=10)


@pytest.mark.parametrize("raw", [None, {}, {"seconds": 3}, {"prompt_tokens": "7"}])
def test_what_says_nothing_is_unknown(raw) -> None:
    """Not zero."""
    assert tokens(Usage(raw=raw)) is None


COUNT = st.integers(0, 2**40) | st.sampled_from([-1, 2**63, True, None, "7", 1.5])
PARTS = [
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "thinking_tokens",
    "web_search_requests",
    "ephemeral_1h_input_tokens",
    "ephemeral_5m_input_tokens",
]
TOTALS = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
]
DETAILED = [
    "prompt_tokens_details",
    "completion_tokens_details",
    "input_tokens_details",
    "output_tokens_details",
    "cache_creation",
    "server_tool_use",
]
DETAILS = st.none() | st.dictionaries(st.sampled_from(PARTS), COUNT)
RAW = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(TOTALS, COUNT), **dict.fromkeys(DETAILED, DETAILS)}
)


@given(RAW)
def test_no_token_is_counted_twice_or_below_nothing(raw) -> None:
    """Whatever an upstream claims: of chat and responses the sums are its own, or its total's."""
    found = tokens(Usage(raw=raw))
    if found is None:
        return
    assert all(getattr(found, name) >= 0 for name in Tokens.__slots__)

    def said(name) -> int:
        value = raw.get(name)
        ok = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        return value if ok else 0

    if said("prompt_tokens") or said("completion_tokens"):
        claimed = said("prompt_tokens") + said("completion_tokens")
        assert found.input + found.output in (claimed, said("total_tokens"))
    elif "total_tokens" in raw and not {k for k in raw if k.startswith("cache_")}:
        assert found.input == said("input_tokens")
        assert found.output == max(
            said("output_tokens"), said("total_tokens") - said("input_tokens")
        )
