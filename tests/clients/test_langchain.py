"""LangChain's model for OpenAI."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.conftest import ENDLESS, FACT, QUESTION, TOOLS, Target, fails

langchain_openai = pytest.importorskip(
    "langchain_openai", reason="install the dependency group clients"
)
openai = pytest.importorskip("openai")


class City(BaseModel):
    """A structured answer."""

    name: str
    size: int


@pytest.fixture
def model(target: Target) -> Any:
    """A model that does not try again."""
    return langchain_openai.ChatOpenAI(
        **target.kind(), model=target.models["text"], max_retries=0, timeout=10, stream_usage=True
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
        list(model.stream(fails("late-error=3")))


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
