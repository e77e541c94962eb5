"""The official client of Anthropic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.conftest import (
    CLOCK,
    ENDLESS,
    FACT,
    IMAGE,
    QUESTION,
    SILENT,
    WEATHER,
    Target,
    fails,
    fails_once,
)

anthropic = pytest.importorskip("anthropic", reason="make test runs it in .venv-clients")

TOOLS = [
    {
        "name": tool["name"],
        "description": tool["description"],
        "input_schema": tool["parameters"],
    }
    for tool in (WEATHER, CLOCK)
]


class City(BaseModel):
    """A structured answer."""

    name: str
    size: int


@pytest.fixture
def client(target: Target) -> Iterator[Any]:
    """A client that does not try again."""
    with anthropic.Anthropic(
        base_url=target.anthropic, api_key=target.key, max_retries=0, timeout=10
    ) as client:
        yield client


def asking(target: Target, text: object, **fields: object) -> dict[str, Any]:
    """The arguments of one question."""
    said = [{"role": "user", "content": text}]
    return {"model": target.models["anthropic"], "max_tokens": 2000, "messages": said, **fields}


def test_plain(client: Any, target: Target) -> None:
    """A message is parsed, with usage and a request id."""
    message = client.messages.create(**asking(target, QUESTION, system="Be kind."))
    assert FACT in message.content[0].text
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 5
    assert message._request_id


def test_stream(client: Any, target: Target) -> None:
    """The client's helper makes the plain message of the events."""
    plain = client.messages.create(**asking(target, QUESTION))
    with client.messages.stream(**asking(target, QUESTION)) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == message.content[0].text == plain.content[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: Any, target: Target, *, stream: bool) -> None:
    """Two tools are called at once; with their results the model answers."""
    asked = asking(target, "What is the weather and the time in Paris?", tools=TOOLS)
    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)
    assert message.stop_reason == "tool_use"
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert calls[0].input["city"] == "Paris"
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"} for call in calls
    ]
    said = [
        *asked["messages"],
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": results},
    ]
    reply = client.messages.create(**{**asked, "messages": said})
    assert "18 degrees" in reply.content[0].text


def test_silence(client: Any, target: Target) -> None:
    """What keeps a silent stream alive is passed over."""
    with client.messages.stream(**asking(target, SILENT)) as stream:
        assert "".join(stream.text_stream) == "One two three."


def test_usage(client: Any, target: Target) -> None:
    """A stream has the counts of its tokens, as the plain answer has."""
    plain = client.messages.create(**asking(target, QUESTION))
    with client.messages.stream(**asking(target, QUESTION)) as stream:
        assert stream.get_final_message().usage.output_tokens == plain.usage.output_tokens > 5


def test_request_id(client: Any, target: Target) -> None:
    """Answers, streams and exceptions have the id that the gateway's log and record have."""
    raw = client.messages.with_raw_response.create(**asking(target, QUESTION))
    assert raw.parse()._request_id == raw.headers["request-id"]
    with client.messages.stream(**asking(target, QUESTION)) as stream:
        assert stream.request_id
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**asking(target, fails("status=400")))
    assert caught.value.request_id == caught.value.response.headers["request-id"]


def test_structured(client: Any, target: Target) -> None:
    """A schema made from a class comes back as an object of it."""
    message = client.messages.parse(**asking(target, "How big is Paris?"), output_format=City)
    assert message.parsed_output.name == "Paris"


def test_image(client: Any, target: Target) -> None:
    """An image in a message reaches the model."""
    kind, data = IMAGE.removeprefix("data:").split(";base64,")
    source = {"type": "base64", "media_type": kind, "data": data}
    said = [{"type": "text", "text": QUESTION}, {"type": "image", "source": source}]
    message = client.messages.create(**asking(target, said))
    assert message.content[0].text.startswith("I see 1 image")


def test_models(client: Any, target: Target) -> None:
    """The model is listed by the name that requests use."""
    assert target.models["anthropic"] in [model.id for model in client.models.list()]


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning(client: Any, target: Target, *, stream: bool) -> None:
    """Thoughts are a block of their own, which a model of Anthropic's signs."""
    thinks = {"type": "enabled", "budget_tokens": 1024}
    asked = asking(target, fails("reasoning=reasoning_content"), thinking=thinks)
    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)
    thinking, text = message.content
    assert thinking.thinking.startswith("The user asks")
    of_openai = target.gateway and not target.crossed
    assert bool(thinking.signature) is not of_openai
    assert FACT in text.text


def test_count_tokens(client: Any, target: Target) -> None:
    """Tokens are counted without an answer."""
    asked = asking(target, QUESTION)
    del asked["max_tokens"]
    assert client.messages.count_tokens(**asked).input_tokens > 5


FAILURES = (400, 403, 404, 429, 500, 503, 529)
ERRORS = {
    400: "BadRequestError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}


@pytest.mark.parametrize("status", FAILURES)
@pytest.mark.parametrize("body", ["", "-text"])
def test_errors(client: Any, target: Target, status: int, body: str) -> None:
    """Each status is the client's own exception."""
    with pytest.raises(getattr(anthropic, ERRORS[target.status(status)])) as caught:
        client.messages.create(**asking(target, fails(f"status={status}{body}; retry-after=7")))
    assert caught.value.status_code == target.status(status)
    assert caught.value.response.headers.get("retry-after") == target.retry_after(status)
    assert caught.value.request_id


def test_wrong_key(target: Target) -> None:
    """A wrong key is an AuthenticationError."""
    with (
        anthropic.Anthropic(base_url=target.anthropic, api_key="expired", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.create(**asking(target, QUESTION))


def test_unknown_model(client: Any, target: Target) -> None:
    """A model that is not there is a NotFoundError."""
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**asking(target, QUESTION), "model": "nothing"})


def test_retry(target: Target) -> None:
    """A client that tries again waits as long as it is told."""
    start = time.monotonic()
    with anthropic.Anthropic(
        base_url=target.anthropic, api_key=target.key, max_retries=2
    ) as client:
        assert client.messages.create(**asking(target, fails_once())).content
    assert 1 <= time.monotonic() - start < 3


@pytest.mark.parametrize("where", ["after-headers", "mid-body", "mid-utf8"])
def test_cut(client: Any, target: Target, where: str) -> None:
    """A stream that is cut off raises."""
    with (
        pytest.raises(Exception) as caught,  # noqa: PT011 # which one is the client's affair
        client.messages.stream(**asking(target, fails(f"cut={where}"))) as stream,
    ):
        stream.until_done()
    assert "httpx" in type(caught.value).__module__ or isinstance(caught.value, anthropic.APIError)


def test_late_error(client: Any, target: Target) -> None:
    """An error after the first events is raised, never a silent end."""
    with (
        pytest.raises(anthropic.APIError),
        client.messages.stream(**asking(target, fails("late-error=4"))) as stream,
    ):
        stream.until_done()


def test_timeout(client: Any, target: Target) -> None:
    """A silent model is the client's own timeout."""
    start = time.monotonic()
    with pytest.raises(anthropic.APITimeoutError):
        client.messages.create(**asking(target, fails("latency=5"), timeout=0.4))
    assert time.monotonic() - start < 2


def test_leave(client: Any, target: Target) -> None:
    """Closing the stream ends the call to the model within a second."""
    before = target.disconnects()
    with client.messages.stream(**asking(target, ENDLESS)) as stream:
        next(iter(stream))
    assert target.left(before)


def test_cancel(target: Target) -> None:
    """A cancelled task of the async client ends the call to the model, before any byte too."""

    async def cancelled() -> None:
        async with anthropic.AsyncAnthropic(
            base_url=target.anthropic, api_key=target.key, max_retries=0
        ) as client:
            asked = asking(target, fails("latency=30"))
            task = asyncio.ensure_future(client.messages.create(**asked))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    before = target.disconnects()
    asyncio.run(cancelled())
    assert target.left(before)
