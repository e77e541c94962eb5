"""What a request defines for a model is read alike, whatever API it comes by."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.formats import Format
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.formats.responses import RESPONSES

SCHEMA = {
    "type": "object",
    "description": "where",
    "properties": {
        "type": {"type": "string", "enum": ["town", "sea"], "format": "uuid"},
        "url": {"$ref": "#/$defs/x", "description": "which"},
    },
}
FUNCTION = {"name": "find", "description": "finds it"}
TOOL = {"type": "function", "function": {**FUNCTION, "parameters": SCHEMA}}
SAID = ["find", "finds it", "where", "town", "sea", "which"]
ANSWER = ["where", "town", "sea", "which"]


@pytest.mark.parametrize(
    ("form", "body", "said"),
    [
        (CHAT, {"tools": [TOOL]}, SAID),
        (CHAT, {"functions": [{**FUNCTION, "parameters": SCHEMA}]}, SAID),
        (MESSAGES, {"tools": [{**FUNCTION, "input_schema": SCHEMA}]}, SAID),
        (RESPONSES, {"tools": [{"type": "function", **FUNCTION, "parameters": SCHEMA}]}, SAID),
        (CHAT, {"response_format": {"json_schema": {"schema": SCHEMA}}}, ANSWER),
        (CHAT, {"documents": [{"title": "a", "text": "b"}], "chat_template": "c"}, ["a", "b", "c"]),
        (CHAT, {"Prompt": "a", "stop": "b", "user": "c", "metadata": {"d": "e"}}, ["a"]),
        (MESSAGES, {"unheard_of": ["a"], "stop_sequences": ["b"]}, ["a"]),
        (RESPONSES, {"unheard_of": {"b": "a"}, "include": ["c"]}, ["a"]),
        (CHAT, {"guided_json": SCHEMA}, ANSWER),
        (MESSAGES, {"output_config": {"format": {"schema": SCHEMA}}}, ANSWER),
        (RESPONSES, {"text": {"format": {"schema": SCHEMA}}}, ANSWER),
        (COMPLETIONS, {"guided_json": SCHEMA, "n": 1, "user": "a"}, ANSWER),
        (CHAT, {"structured_outputs": {"choice": ["yes", "no"]}}, ["yes", "no"]),
    ],
)  # fmt: skip
def test_tools_and_schemas_are_read_in_every_format(
    form: Format, body: dict[str, Any], said: list[str]
) -> None:
    """One tool says the same in all formats; what names a kind or a place says nothing."""
    assert [text.text for text in form.definitions(body)] == said
    assert {text.stage for text in form.definitions(body)} <= {"input"}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "tool", "content": "", "tool_call_id": "do as I say"}]},
        {"messages": [{"tool_calls": [{"id": "do as I say"}]}]},
        {"messages": [{"function_call": {"arguments": {"data": {"a": ["do as I say"]}}}}]},
        {"messages": [{"content": [{"type": "document", "url": "do as I say"}]}]},
        {"messages": [{"content": [{"type": "tool_use", "name": "do as I say", "input": {}}]}]},
        {"messages": [], "input": [{"type": "message", "role": "do as I say", "content": ""}]},
        {"messages": [], "tools": [{"parameters": {"type": ["do as I say"]}}]},
        {"messages": [], "tools": [{"parameters": {"format": "do\nas\nI\nsay"}}]},
        {"messages": [], "tools": [{"parameters": {"properties": {"do as I say": {}}}}]},
        {"messages": [{"content": [{"type": "document", "citations": {"do as I say": 1}}]}]},
    ],
)
def test_a_sentence_is_read_wherever_it_stands(body: dict[str, Any]) -> None:
    """A template prints a call's id and a tool's schema, whatever is in the place of a name."""
    forms = [RESPONSES] if "input" in body else [CHAT, MESSAGES]
    said = [
        text.text.split() for form in forms for text in form.texts(body) + form.definitions(body)
    ]
    assert ["do", "as", "I", "say"] in said


@pytest.mark.parametrize(
    "value",
    ["Bearer s3cret", "image/png", f"{'A' * 76}\n{'B' * 76}\n{'C' * 76}\nD=", "x" * 200, "call 1"],
)
def test_a_reference_is_no_sentence(value: str) -> None:
    """Ids, credentials, URLs and encoded bytes, in lines too, are not read."""
    body = {"messages": [{"role": "user", "tool_call_id": value, "data": {"a": value}}]}
    assert CHAT.texts(body) == []


def test_credentials_of_a_tool_are_no_text() -> None:
    """What a tool is reached with is neither guarded nor recorded as said."""
    tool = {"server_label": "a", "server_url": "u", "authorization": "s", "headers": {"x": "s"}}
    assert [text.text for text in RESPONSES.definitions({"tools": [tool]})] == ["a"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
KEYS = ("tools", "functions", "response_format", "guided_json", "output_config", "text")


@given(
    st.dictionaries(st.sampled_from(KEYS), ANYTHING), st.sampled_from([CHAT, MESSAGES, RESPONSES])
)
def test_no_definition_breaks_the_reading(body: dict[str, Any], form: Format) -> None:
    """Whatever stands there, reading it is no error."""
    form.definitions(body)


def test_a_predicted_answer_is_a_text() -> None:
    """What a model is to repeat is read before it does."""
    body = {"messages": [], "prediction": {"type": "content", "content": [{"text": "a"}]}}
    assert [text.text for text in CHAT.texts(body)] == ["a"]
