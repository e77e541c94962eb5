"""Two requests share an answer only if nothing that an answer follows from differs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cache.key import NOT_PART, Scope, key, question

SCOPE = Scope("tenant-1", "chat", ("model-a",), "chat", ("manifest-1", "policies-1"))
BODY: dict[str, Any] = {
    "model": "model-a",
    "temperature": 0,
    "messages": [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "What is the capital of France?"},
    ],
}
CHANGED: dict[str, dict[str, Any]] = {
    "another system prompt": {
        "messages": [{"role": "system", "content": "You are rude."}, BODY["messages"][1]]
    },
    "a longer history": {
        "messages": [{"role": "user", "content": "Hi"}, *BODY["messages"]],
    },
    "tools": {"tools": [{"type": "function", "function": {"name": "look_up"}}]},
    "tool_choice": {"tool_choice": "none"},
    "response_format": {"response_format": {"type": "json_object"}},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.9},
    "seed": {"seed": 7},
    "max_tokens": {"max_tokens": 5},
    "stop": {"stop": ["."]},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "reasoning_effort": {"reasoning_effort": "high"},
    "a parameter that nobody knows": {"brand_new": 1},
    "a parameter that is null": {"brand_new": None},
}
SCOPES = {
    "tenant": replace(SCOPE, tenant="tenant-2"),
    "route": replace(SCOPE, route="chat-2"),
    "model": replace(SCOPE, models=("model-b",)),
    "candidates": replace(SCOPE, models=("model-a", "model-b")),
    "format": replace(SCOPE, format="messages"),
    "policies": replace(SCOPE, rules=("manifest-1", "policies-2")),
    "a name that runs into the next": replace(SCOPE, tenant="tenant-1chat", route=""),
}


@pytest.mark.parametrize("name", CHANGED)
def test_whatever_changes_an_answer_changes_the_key(name) -> None:
    """System prompt, history, tools, formats, sampling, and what is not known here."""
    assert key(SCOPE, {**BODY, **CHANGED[name]}) != key(SCOPE, BODY)


@pytest.mark.parametrize("name", SCOPES)
def test_every_wall_stands(name) -> None:
    """Another tenant, route, model, format or bundle never finds the answer."""
    assert key(SCOPES[name], BODY) != key(SCOPE, BODY)
    assert question(SCOPES[name], BODY, "e").partition != question(SCOPE, BODY, "e").partition


def test_how_it_is_sent_is_no_part() -> None:
    """These four and the model's alias, which the scope holds, and no others."""
    sent = {"stream": True, "stream_options": {"include_usage": True}, "user": "u", "metadata": {}}
    assert key(SCOPE, {**BODY, **sent, "model": "auto"}) == key(SCOPE, BODY)
    assert {*sent, "model"} == NOT_PART


def test_the_order_of_keys_and_candidates_does_not_matter() -> None:
    """They say the same."""
    scope = replace(SCOPE, models=("b", "a", "b"))
    assert key(scope, dict(reversed(BODY.items()))) == key(replace(scope, models=("a", "b")), BODY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.text(), JSON, max_size=5)


def relevant(body) -> str:
    """What must be told apart: True is not 1, and 1 is not 1.0."""
    return repr(sorted((k, deep(v)) for k, v in body.items() if k not in NOT_PART))


def deep(value):
    """``value`` with the keys of its objects in order."""
    if isinstance(value, dict):
        return sorted((k, deep(v)) for k, v in value.items())
    return [deep(item) for item in value] if isinstance(value, list) else value


@given(BODIES, BODIES)
def test_keys_are_the_same_for_the_same_and_only_for_them(one, other) -> None:
    """Over any two bodies."""
    if relevant(one) == relevant(other):
        assert key(SCOPE, one) == key(SCOPE, other)
    elif one != other:
        assert key(SCOPE, one) != key(SCOPE, other)


@given(BODIES, st.text(), JSON)
def test_any_other_parameter_is_part(body, name, value) -> None:
    """Whatever its name, unless it is one of those that are listed."""
    more = {**body, name: value}
    if relevant(more) != relevant(body) and more != body:
        assert key(SCOPE, more) != key(SCOPE, body)


@pytest.mark.parametrize("name", [*CHANGED, "user", "metadata"])
def test_meaning_is_compared_within_one_partition_only(name) -> None:
    """All but the last user message is a wall, and so are the end user and the metadata."""
    users: dict[str, dict[str, Any]] = {
        "user": {"user": "someone"},
        "metadata": {"metadata": {"session": "1"}},
    }
    changed = {**CHANGED, **users}[name]
    other = question(SCOPE, {**BODY, **changed}, "embedder")
    assert other is None or other.partition != question(SCOPE, BODY, "embedder").partition


def test_the_last_user_message_alone_is_compared() -> None:
    """The same partition for another question, whether streamed or not; not with other vectors."""
    first = question(SCOPE, BODY, "embedder")
    asked = {"role": "user", "content": "Which city is the capital of France?"}
    other = {**BODY, "messages": [BODY["messages"][0], asked], "stream": True}
    second = question(SCOPE, other, "embedder")
    assert first.text == "What is the capital of France?"
    assert first.partition == second.partition
    assert question(SCOPE, BODY, "another").partition != first.partition


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"prompt": "Once upon"}, "Once upon"),
        ({"input": "Hello"}, "Hello"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}, "Hi"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, "Hi"),
    ],
)
def test_each_format_has_its_question(body, text) -> None:
    """Prompts, inputs and messages."""
    assert question(SCOPE, body, "e").text == text


def message(content, role="user") -> dict:
    """A body of one message."""
    return {"messages": [{"role": role, "content": content}]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": ["no message"]},
        {"prompt": ["one", "two"]},
        {"prompt": "  "},
        {"prompt": "x" * 2001},
        message("answer", "assistant"),
        message("42", "tool"),
        message(None),
        message([]),
        message(["no part"]),
        message([{"type": "text", "text": 7}]),
        message([{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {}}]),
        message([{"type": "tool_result", "content": "Hi"}]),
        message([{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]),
        {**BODY, **CHANGED["tools"]},
        {**BODY, "functions": [{"name": "look_up"}]},
    ],
)
def test_where_meaning_is_not_enough_there_is_no_question(body) -> None:
    """Images, tool results, tools, long texts, and what is no user's message."""
    assert question(SCOPE, body, "embedder") is None
