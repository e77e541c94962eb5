"""LlamaIndex's model for OpenAI."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

from tests.clients.conftest import ENDLESS, FACT, QUESTION, TOOLS, Target, fails

llms = pytest.importorskip("llama_index.llms.openai", reason="install the dependency group clients")
openai = pytest.importorskip("openai")


@pytest.fixture
def model(target: Target) -> Any:
    """A model that does not try again; it looks up its own name, so another goes over the wire."""
    return _model(target, timeout=10)


def _model(target: Target, timeout: float) -> Any:
    return llms.OpenAI(
        model="gpt-4o-mini",
        additional_kwargs={"model": target.models["text"]},
        api_base=target.bases["text"],
        api_key=target.key,
        max_retries=0,
        timeout=timeout,
    )


def test_plain(model: Any) -> None:
    """An answer."""
    assert FACT in model.complete(QUESTION).text


def test_stream(model: Any) -> None:
    """Deltas make the plain answer."""
    deltas = [chunk.delta or "" for chunk in model.stream_complete(QUESTION)]
    assert len(deltas) > 5
    assert "".join(deltas) == model.complete(QUESTION).text


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
        list(model.stream_complete(fails("late-error=3")))


def test_timeout(target: Target) -> None:
    """A silent model is a timeout."""
    with pytest.raises(openai.APITimeoutError):
        _model(target, timeout=0.4).complete(fails("latency=5"))


def test_leave(model: Any, target: Target) -> None:
    """Who stops reading ends the call to the model within a second."""
    before = target.disconnects()
    stream = model.stream_complete(ENDLESS)
    next(stream)
    stream.close()
    gc.collect()  # the stream below it is left to the collector
    assert target.left(before)
