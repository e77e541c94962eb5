"""The official Python SDK reads what the translation writes, and puts its events together."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pydantic
import pytest
from hypothesis import given, settings

from ai_gateway import strictjson
from ai_gateway.errors import UpstreamError
from ai_gateway.translate.responses import RESPONSES_TO_CHAT
from tests.translate.chat_streams import USAGE, call, chunk, completion, cut, token

openai = pytest.importorskip("openai", minversion="1.100")
types = pytest.importorskip("openai.types.responses")

TOOL = {"type": "function", "name": "get", "parameters": {"type": "object", "properties": {}}}
ASKED: dict[str, Any] = {
    "model": "model-a",
    "input": "Hi",
    "instructions": "Be brief.",
    "tools": [TOOL],
    "tool_choice": {"type": "function", "name": "get"},
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "metadata": {"a": "b"},
    "max_output_tokens": 100,
    "temperature": 0.5,
}


def client(chat: list[dict[str, Any]] | dict[str, Any]) -> Any:
    """The SDK, before a gateway whose model answers ``chat``: a whole answer, or chunks."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = strictjson.loads(request.content)
        assert RESPONSES_TO_CHAT.request(asked)["messages"]
        if isinstance(chat, dict):
            return httpx.Response(200, json=RESPONSES_TO_CHAT.answer(chat, asked))
        return httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=_sse(chat, asked)
        )

    return _client(answer)


def _client(answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    return openai.OpenAI(
        api_key="k",
        base_url="http://gateway/v1",
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
        max_retries=0,
    )


def _sse(chat: list[dict[str, Any]], asked: dict[str, Any]) -> Iterator[bytes]:
    for event in RESPONSES_TO_CHAT.stream(chat, asked):
        yield b"event: %s\ndata: %s\n\n" % (event["type"].encode(), strictjson.dumps(event))


MESSAGE = {
    "reasoning_content": "Hm",
    "content": '{"a": 1}',
    "tool_calls": [call(0, name="get", arguments="{}")],
}
CHUNKS = [
    chunk({"reasoning_content": "Hm"}),
    chunk({"content": '{"a"'}, logprobs={"content": [token('{"a"')]}),
    chunk({"content": ": 1}"}),
    chunk({"tool_calls": [call(0, name="get", arguments="{")]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
    chunk({}, "tool_calls"),
    {"choices": [], "usage": USAGE},
]


def test_a_whole_answer_is_what_the_type_says() -> None:
    """Every field passes the strict check of the SDK's own model, and its helpers read it."""
    with client(completion(MESSAGE)) as sdk:
        found = sdk.responses.create(**ASKED)
    types.Response.model_validate(found.to_dict(), strict=True)
    assert (found.output_text, found.output[2].call_id) == ('{"a": 1}', "call_0")
    assert found.usage.output_tokens_details.reasoning_tokens == 3


@settings(max_examples=30, deadline=None)  # the first one builds the SDK's models
@given(cut())
def test_every_event_is_what_the_type_says(
    found: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """Every event of any stream passes the strict check of the SDK's union of events."""
    union = pydantic.TypeAdapter(types.ResponseStreamEvent)
    for event in RESPONSES_TO_CHAT.stream(found[1], ASKED):
        read = union.validate_json(strictjson.dumps(event), strict=True)
        assert read.type == event["type"]


def test_a_stream_adds_up_in_the_sdk() -> None:
    """The SDK's accumulation follows each event and ends with the whole answer's response."""
    asked = {key: ASKED[key] for key in ("model", "input", "reasoning")}
    with client(CHUNKS) as sdk, sdk.responses.stream(**asked) as stream:
        snapshots = [
            event.snapshot
            for event in stream
            if event.type.endswith("text.delta") and hasattr(event, "snapshot")
        ]
        final = stream.get_final_response()
    assert snapshots == ['{"a"', '{"a": 1}']
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert (final.output_text, final.output[2].arguments) == ('{"a": 1}', "{}")
    assert final.usage.total_tokens == 16


def test_what_the_sdk_gives_back_can_be_asked_again() -> None:
    """The documented loop, input plus output plus results, is a conversation for the model."""
    with client(completion(MESSAGE)) as sdk:
        found = sdk.responses.create(model="model-a", input="Hi")
        items = [
            {"role": "user", "content": "Hi"},
            *found.output,
            {"type": "function_call_output", "call_id": "call_0", "output": "rain"},
        ]
        sdk.responses.create(model="model-a", input=items)
    sent = [item if isinstance(item, dict) else item.to_dict() for item in items]
    messages = RESPONSES_TO_CHAT.request({"model": "model-a", "input": sent})["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]


def test_a_signed_call_comes_back_with_its_signature() -> None:
    """A call's signature outlives the SDK's stream, and goes back beside the call."""
    extra = {"extra_content": {"google": {"thought_signature": "SIG=="}}}
    signed = call(0, name="get", arguments="{}") | extra
    chunks = [chunk({"tool_calls": [signed]}, "tool_calls")]
    with client(chunks) as sdk, sdk.responses.stream(model="model-a", input="Hi") as stream:
        output = [item.to_dict() for item in stream.get_final_response().output]
    [turn] = RESPONSES_TO_CHAT.request({"model": "model-a", "input": output})["messages"]
    assert turn["tool_calls"][0]["extra_content"] == extra["extra_content"]


def test_a_parsed_answer_is_an_object() -> None:
    """``responses.parse`` sends a schema and reads the text as the class it came from."""

    class Found(pydantic.BaseModel):
        a: int

    with client(completion({"content": '{"a": 1}'})) as sdk:
        found = sdk.responses.parse(model="model-a", input="Hi", text_format=Found)
    assert found.output_parsed == Found(a=1)


def test_a_stream_that_breaks_off_is_raised_by_the_sdk() -> None:
    """After the failed event the error itself, under ``error``, is an exception of the SDK."""

    def cut_short() -> Iterator[bytes]:
        try:
            yield from _sse(CHUNKS[:2], ASKED)
        except UpstreamError as error:
            yield b"data: %s\n\n" % strictjson.dumps({"error": {"message": error.message}})

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=headers, content=cut_short(), request=request)

    with _client(answer) as sdk:
        events = sdk.responses.create(model="model-a", input="Hi", stream=True)
        seen = []
        with pytest.raises(openai.APIError, match="was cut"):
            deque(map(seen.append, events))
    assert seen[-1].type == "response.failed"
