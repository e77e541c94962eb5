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
