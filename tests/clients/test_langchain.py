"""LangChain's model for OpenAI."""

from __future__ import annotations

import asyncio
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

langchain_openai = pytest.importorskip(
    "langchain_openai", reason="make test runs it in .venv-clients"
)
openai = pytest.importorskip("openai")


class City(BaseModel):
    """A structured answer."""

    name: str
    size: int


@pytest.fixture
def model(target: Target) -> Any:
    """A model that does not try again."""
    return chat(target)


def chat(target: Target, **options: Any) -> Any:
    """A model, by its class's own parameters."""
    options = {"max_retries": 0, "timeout": 10, "stream_usage": True, **options}
    return langchain_openai.ChatOpenAI(
        **{**target.kind(), "model": target.models["text"], **options}
    )


def test_plain(model: Any) -> None:
    """An answer with its usage."""
    message = model.invoke(QUESTION)
    assert FACT in message.content
    assert message.usage_metadata["total_tokens"] > 10


def test_stream(model: Any) -> None:
    """Chunks add up to the plain answer and its usage."""
    first, *others = model.stream(QUESTION)
    whole = sum(others, first)
    plain = model.invoke(QUESTION)
    assert whole.content == plain.content
    assert whole.usage_metadata["total_tokens"] == plain.usage_metadata["total_tokens"]


def test_silence(model: Any) -> None:
    """What keeps a silent stream alive is passed over."""
    assert "".join(chunk.content for chunk in model.stream(SILENT)) == "One two three."


def test_usage(target: Target) -> None:
    """Who asks for it gets the usage of a stream, who does not gets none."""
    for asked in (True, False):
        chunks = chat(target, stream_usage=asked).stream(QUESTION)
        assert any(chunk.usage_metadata for chunk in chunks) is asked


def test_request_id(target: Target) -> None:
    """Answers and exceptions have the id that the gateway's log and record have."""
    model = chat(target, include_response_headers=True)
    assert model.invoke(QUESTION).response_metadata["headers"]["x-request-id"]
    with pytest.raises(openai.BadRequestError) as caught:
        model.invoke(fails("status=400"))
    assert caught.value.request_id


def test_image(model: Any) -> None:
    """An image in a message reaches the model."""
    image = {"type": "image_url", "image_url": {"url": IMAGE}}
    said = [{"role": "user", "content": [{"type": "text", "text": QUESTION}, image]}]
    assert model.invoke(said).content.startswith("I see 1 image")


@pytest.mark.parametrize("stream", [False, True])
def test_responses(target: Target, *, stream: bool) -> None:
    """The same model speaks the Responses API."""
    model = chat(target, use_responses_api=True)
    said = [
        chunk.text for chunk in (model.stream(QUESTION) if stream else [model.invoke(QUESTION)])
    ]
    assert FACT in "".join(said)


def test_embeddings(target: Target) -> None:
    """Texts come back as vectors."""
    model = langchain_openai.OpenAIEmbeddings(
        **target.kind("embedder"),
        model=target.models["embedder"],
        check_embedding_ctx_length=False,  # it would count tokens as one of OpenAI's models does
    )
    first, second = model.embed_documents(["a b", "b a"])
    assert first == second


def test_wrong_key(target: Target) -> None:
    """A wrong key is an AuthenticationError."""
    with pytest.raises(openai.AuthenticationError):
        chat(target, api_key="expired").invoke(QUESTION)


def test_unknown_model(target: Target) -> None:
    """A model that is not there is a NotFoundError."""
    with pytest.raises(openai.NotFoundError):
        chat(target, model="nothing").invoke(QUESTION)


def test_retry(target: Target) -> None:
    """A client that tries again waits as long as it is told."""
    start = time.monotonic()
    assert chat(target, max_retries=2).invoke(fails_once()).content
    assert 1 <= time.monotonic() - start < 3


def test_cancel(target: Target) -> None:
    """A cancelled task ends the call to the model, before any byte too."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(chat(target).ainvoke(fails("latency=30")))
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
    bound = model.bind_tools(TOOLS)
    text = "What is the weather and the time in Paris?"
    if stream:
        first, *others = bound.stream(text)
        message = sum(others, first)
    else:
        message = bound.invoke(text)
    assert [call["name"] for call in message.tool_calls] == ["get_weather", "get_time"]
    assert message.tool_calls[0]["args"]["city"] == "Paris"


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured(model: Any, method: str) -> None:
    """A class comes back, by a schema or by a forced tool."""
    found = model.with_structured_output(City, method=method).invoke("How big is Paris?")
    assert found.name == "Paris"


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, "BadRequestError"), (429, "RateLimitError"), (503, "APIStatusError")],
)
def test_errors(model: Any, status: int, error: str) -> None:
    """The exceptions are those of OpenAI's client."""
    with pytest.raises(getattr(openai, error)):
        model.invoke(fails(f"status={status}"))


def test_late_error(model: Any) -> None:
    """An error in mid-stream is raised."""
    with pytest.raises(openai.APIError):
        list(model.stream(fails("late-error=5")))


@pytest.mark.parametrize("where", ["after-headers", "mid-body", "mid-utf8"])
def test_cut(model: Any, where: str) -> None:
    """A stream that is cut off raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 # which one is the client's affair
        list(model.stream(fails(f"cut={where}")))
    assert "httpx" in type(caught.value).__module__ or isinstance(caught.value, openai.APIError)


def test_timeout(model: Any) -> None:
    """A silent model is a timeout."""
    start = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        model.bind(timeout=0.4).invoke(fails("latency=5"))
    assert time.monotonic() - start < 2


def test_leave(model: Any, target: Target) -> None:
    """Who stops reading ends the call to the model within a second."""
    before = target.disconnects()
    stream = model.stream(ENDLESS)
    next(stream)
    stream.close()
    assert target.left(before)
