"""LlamaIndex's model for OpenAI."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.conftest import (
    ENDLESS,
    FACT,
    IMAGE,
    QUESTION,
    SILENT,
    TOOLS,
    Target,
    fails,
    fails_once,
)

llms = pytest.importorskip("llama_index.llms.openai", reason="make test runs it in .venv-clients")
core = pytest.importorskip("llama_index.core.llms")
openai = pytest.importorskip("openai")


class City(BaseModel):
    """A structured answer."""

    name: str
    size: int


@pytest.fixture
def model(target: Target) -> Any:
    """A model that does not try again; it looks up its own name, so another goes over the wire."""
    return chat(target)


def chat(target: Target, model: str = "", **options: Any) -> Any:
    """A model, by its class's own parameters."""
    return llms.OpenAI(
        model="gpt-4o-mini",
        additional_kwargs={"model": model or target.models["text"]},
        api_base=target.bases["text"],
        **{"api_key": target.key, "max_retries": 0, "timeout": 10, **options},
    )


def test_plain(model: Any) -> None:
    """An answer."""
    assert FACT in model.complete(QUESTION).text


def test_stream(model: Any) -> None:
    """Deltas make the plain answer."""
    deltas = [chunk.delta or "" for chunk in model.stream_complete(QUESTION)]
    assert len(deltas) > 5
    assert "".join(deltas) == model.complete(QUESTION).text


def test_silence(model: Any) -> None:
    """What keeps a silent stream alive is passed over."""
    assert "".join(chunk.delta or "" for chunk in model.stream_complete(SILENT)) == "One two three."


def test_structured(model: Any) -> None:
    """A class comes back, by a schema."""
    found = model.as_structured_llm(City).complete("How big is Paris?")
    assert found.raw.name == "Paris"


def test_image(model: Any) -> None:
    """An image in a message reaches the model."""
    blocks = [core.TextBlock(text=QUESTION), core.ImageBlock(url=IMAGE)]
    reply = model.chat([core.ChatMessage(role="user", blocks=blocks)])
    assert reply.message.content.startswith("I see 1 image")


def test_request_id(model: Any) -> None:
    """Exceptions have the id that the gateway's log and record have."""
    with pytest.raises(openai.BadRequestError) as caught:
        model.complete(fails("status=400"))
    assert caught.value.request_id


def test_wrong_key(target: Target) -> None:
    """A wrong key is an AuthenticationError."""
    with pytest.raises(openai.AuthenticationError):
        chat(target, api_key="expired").complete(QUESTION)


def test_unknown_model(target: Target) -> None:
    """A model that is not there is a NotFoundError."""
    with pytest.raises(openai.NotFoundError):
        chat(target, model="nothing").complete(QUESTION)


def test_retry(target: Target) -> None:
    """A client that tries again waits as long as it is told."""
    start = time.monotonic()
    assert chat(target, max_retries=2).complete(fails_once()).text
    assert 1 <= time.monotonic() - start < 5


def test_cancel(target: Target) -> None:
    """A cancelled task ends the call to the model, before any byte too."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(chat(target).acomplete(fails("latency=30")))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = target.disconnects()
    asyncio.run(cancelled())
    assert target.left(before)


@pytest.mark.parametrize("stream", [False, True])
def test_tools(model: Any, *, stream: bool) -> None:
    """Calls of two tools are parsed, from fragments too."""
    said = [llms.base.ChatMessage(role="user", content="What is the weather and time in Paris?")]
    reply = (
        list(model.stream_chat(said, tools=TOOLS))[-1] if stream else model.chat(said, tools=TOOLS)
    )
    calls = model.get_tool_calls_from_response(reply)
    assert [call.tool_name for call in calls] == ["get_weather", "get_time"]
    assert json.loads(json.dumps(calls[1].tool_kwargs)) == {"place": "Paris"}


@pytest.mark.parametrize(("status", "error"), [(400, "BadRequestError"), (429, "RateLimitError")])
def test_errors(model: Any, status: int, error: str) -> None:
    """The exceptions are those of OpenAI's client."""
    with pytest.raises(getattr(openai, error)):
        model.complete(fails(f"status={status}"))


def test_late_error(model: Any) -> None:
    """An error in mid-stream is raised."""
    with pytest.raises(openai.APIError):
        list(model.stream_complete(fails("late-error=5")))


@pytest.mark.parametrize("where", ["after-headers", "mid-body", "mid-utf8"])
def test_cut(model: Any, where: str) -> None:
    """A stream that is cut off raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 # which one is the client's affair
        list(model.stream_complete(fails(f"cut={where}")))
    assert "httpx" in type(caught.value).__module__ or isinstance(caught.value, openai.APIError)


def test_timeout(target: Target) -> None:
    """A silent model is a timeout."""
    with pytest.raises(openai.APITimeoutError):
        chat(target, timeout=0.4).complete(fails("latency=5"))


def test_leave(model: Any, target: Target) -> None:
    """Who stops reading ends the call to the model within a second."""
    before = target.disconnects()
    stream = model.stream_complete(ENDLESS)
    next(stream)
    stream.close()
    gc.collect()  # the stream below it is left to the collector
    assert target.left(before)
