"""LiteLLM as a client, in its words for OpenAI's API and for Anthropic's."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from collections.abc import Iterator
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

with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network as it starts
    litellm = pytest.importorskip("litellm", reason="make test runs it in .venv-clients")

pytestmark = [
    pytest.mark.parametrize("kind", ["text", "anthropic"]),
    pytest.mark.filterwarnings("ignore"),  # LiteLLM's own: of pydantic, deprecations, open sockets
]


RESPONSES = ("model", "api_base", "api_key", "input", "timeout")


class City(BaseModel):
    """A structured answer."""

    name: str
    size: int


@pytest.fixture(scope="module", autouse=True)
def litter() -> Iterator[None]:
    """LiteLLM keeps its connections for ever and closes no event loop; they end here, unseen."""
    yield
    litellm.in_memory_llm_clients_cache.flush_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.set_event_loop(None)
        gc.collect()


def asking(target: Target, kind: str, text: str, **fields: Any) -> dict[str, Any]:
    """The arguments of one question in either API."""
    provider = "openai" if kind == "text" else "anthropic"
    return {
        "model": f"{provider}/{target.models[kind]}",
        "api_base": target.bases["text"] if kind == "text" else target.anthropic,
        "api_key": target.key,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 2000,
        "num_retries": 0,
        "max_retries": 0,
        "timeout": 10,
        **fields,
    }


def ask(target: Target, kind: str, text: str, **fields: Any) -> Any:
    """One question in either API."""
    return litellm.completion(**asking(target, kind, text, **fields))


def test_plain(target: Target, kind: str) -> None:
    """An answer with its usage."""
    reply = ask(target, kind, QUESTION)
    assert FACT in reply.choices[0].message.content
    assert reply.usage.total_tokens > 10


def test_stream(target: Target, kind: str) -> None:
    """Chunks make the plain answer."""
    plain = ask(target, kind, QUESTION).choices[0].message.content
    chunks = list(ask(target, kind, QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain


def test_silence(target: Target, kind: str) -> None:
    """What keeps a silent stream alive is passed over."""
    chunks = list(ask(target, kind, SILENT, stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == "One two three."


def test_usage(target: Target, kind: str) -> None:
    """Who asks for it gets the usage of a stream."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(ask(target, kind, QUESTION, **options))
    assert max(chunk.usage.completion_tokens for chunk in chunks if getattr(chunk, "usage", 0)) > 5


def test_request_id(target: Target, kind: str) -> None:
    """Answers have the id that the gateway's log and record have."""
    names = ("llm_provider-x-request-id", "llm_provider-request-id")
    found = ask(target, kind, QUESTION)._hidden_params["additional_headers"]
    assert any(found.get(name) for name in names)


def test_structured(target: Target, kind: str) -> None:
    """A schema made from a class comes back as JSON that fits it."""
    reply = ask(target, kind, "How big is Paris?", response_format=City)
    assert City.model_validate_json(reply.choices[0].message.content).name == "Paris"


def test_image(target: Target, kind: str) -> None:
    """An image in a message reaches the model."""
    image = {"type": "image_url", "image_url": {"url": IMAGE}}
    said = [{"role": "user", "content": [{"type": "text", "text": QUESTION}, image]}]
    reply = ask(target, kind, "", messages=said)
    assert reply.choices[0].message.content.startswith("I see 1 image")


def test_reasoning(target: Target, kind: str) -> None:
    """Thoughts arrive beside the answer."""
    message = ask(target, kind, fails("reasoning=reasoning_content")).choices[0].message
    assert message.reasoning_content.startswith("The user asks")


def test_responses(target: Target, kind: str) -> None:
    """The Responses API, which LiteLLM speaks itself or puts as Messages."""
    asked = asking(target, kind, "", input=QUESTION)
    reply = litellm.responses(**{name: asked[name] for name in asked if name in RESPONSES})
    assert FACT in reply.output_text


def test_embeddings(target: Target, kind: str) -> None:
    """Texts come back as vectors."""
    if kind == "anthropic":
        pytest.skip("Anthropic's API has no embeddings")
    reply = litellm.embedding(
        model=f"openai/{target.models['embedder']}",
        api_base=target.bases["embedder"],
        api_key=target.key,
        input=["a b", "b a"],
        encoding_format="float",
    )
    assert reply.data[0]["embedding"] == reply.data[1]["embedding"]


def test_wrong_key(target: Target, kind: str) -> None:
    """A wrong key is an AuthenticationError."""
    with pytest.raises(litellm.AuthenticationError):
        ask(target, kind, QUESTION, api_key="expired")


def test_unknown_model(target: Target, kind: str) -> None:
    """A model that is not there is a NotFoundError."""
    provider = asking(target, kind, "")["model"].partition("/")[0]
    with pytest.raises(litellm.NotFoundError):
        ask(target, kind, QUESTION, model=f"{provider}/nothing")


def test_retry(target: Target, kind: str) -> None:
    """A client that tries again gets its answer; in OpenAI's words it waits as it is told."""
    start = time.monotonic()
    assert ask(target, kind, fails_once(), num_retries=2, max_retries=2).choices
    assert kind == "anthropic" or 1 <= time.monotonic() - start < 5


@pytest.mark.parametrize("stream", [False, True])
def test_tools(target: Target, kind: str, *, stream: bool) -> None:
    """Calls of two tools are parsed, from fragments too."""
    text = "What is the weather and the time in Paris?"
    reply = ask(target, kind, text, tools=TOOLS, stream=stream)
    if stream:
        reply = litellm.stream_chunk_builder(list(reply))
    calls = reply.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert json.loads(calls[1].function.arguments) == {"place": "Paris"}


FAILURES = (400, 404, 429, 500, 502, 503)
ERRORS = {
    400: "BadRequestError",
    404: "NotFoundError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
}


@pytest.mark.parametrize("status", FAILURES)
def test_errors(target: Target, kind: str, status: int) -> None:
    """Each status is LiteLLM's own exception."""
    error = ERRORS[target.status(status)]
    if target.gateway and (kind, status) == ("anthropic", 503):
        error = "InternalServerError"  # as which LiteLLM knows Anthropic's overloaded_error
    with pytest.raises(getattr(litellm, error)):
        ask(target, kind, fails(f"status={status}"))


@pytest.mark.parametrize("where", ["after-headers", "mid-body", "mid-utf8"])
def test_cut(target: Target, kind: str, where: str) -> None:
    """A stream that is cut off raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 # which one is the client's affair
        list(ask(target, kind, fails(f"cut={where}"), stream=True))
    assert "litellm" in type(caught.value).__module__


def test_timeout(target: Target, kind: str) -> None:
    """A silent model is a timeout."""
    with pytest.raises(litellm.Timeout):
        ask(target, kind, fails("latency=5"), timeout=0.4)


def test_late_error(target: Target, kind: str) -> None:
    """An error in mid-stream is raised."""
    with pytest.raises(litellm.exceptions.MidStreamFallbackError):
        list(ask(target, kind, fails("late-error=4"), stream=True))


def test_leave(target: Target, kind: str) -> None:
    """Who closes the stream ends the call to the model within a second."""

    async def leave() -> None:
        stream = await litellm.acompletion(**asking(target, kind, ENDLESS, stream=True))
        await anext(aiter(stream))
        await stream.aclose()
        await litellm.close_litellm_async_clients()

    before = target.disconnects()
    asyncio.run(leave())
    assert target.left(before)


def test_cancel(target: Target, kind: str) -> None:
    """A cancelled task ends the call to the model, before any byte too."""

    async def cancelled() -> None:
        asked = asking(target, kind, fails("latency=30"), timeout=60)
        task = asyncio.ensure_future(litellm.acompletion(**asked))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await litellm.close_litellm_async_clients()

    before = target.disconnects()
    asyncio.run(cancelled())
    assert target.left(before)
