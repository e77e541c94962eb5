"""Streams of models that speak Anthropic's dialect, odd and broken, in both official SDKs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.upstream.fake import FakeUpstream, chunk, event, head, reply, then_close
from tests.upstream.providers import PROVIDERS, SAID

pytestmark = pytest.mark.wire

ROUTES = """
  - {path: /v1/chat/completions, function: "functions.v1.chat_completions:handle", auth: api-key}
  - path: /v1/messages
    function: functions.v1.messages:handle
    errors: anthropic
    auth: api-key
"""
EVENTS = next(found.stream for found in PROVIDERS if found.row == "Anthropic")
STREAM = b"".join(EVENTS)
PING = event({"type": "ping"}, "ping")
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def sent(*pieces: bytes) -> bytes:
    """Each piece as one chunk of a whole answer."""
    return head() + b"".join(map(chunk, pieces)) + chunk(b"")


def unnamed(data: bytes) -> bytes:
    """Without the lines that name events."""
    return b"".join(line for line in data.splitlines(keepends=True) if line[:6] != b"event:")


WHOLE: dict[str, Any] = {
    "as documented": sent(*EVENTS),
    "byte by byte": sent(*(STREAM[at : at + 1] for at in range(len(STREAM)))),
    "CRLF": sent(STREAM.replace(b"\n", b"\r\n")),
    "events without names": sent(unnamed(STREAM)),
    "a ping first": sent(PING, STREAM),
    "pings everywhere": sent(*(piece for found in EVENTS for piece in (found, PING))),
    "comments": sent(*(piece for found in EVENTS for piece in (b": keep-alive\n\n", found))),
    "[DONE] at the end": sent(STREAM, b"data: [DONE]\n\n"),
    "an event of another kind": sent(EVENTS[0], event({"type": "news"}, "news"), *EVENTS[1:]),
    "closed behind the last event": then_close(head() + chunk(STREAM) + chunk(b"")),
}
BROKEN: dict[str, Any] = {
    "an error event": sent(*EVENTS[:4], event(OVERLOADED, "error")),
    "an error without its name": sent(*EVENTS[:4], event(OVERLOADED)),
    "cut between events": then_close(head() + chunk(b"".join(EVENTS[:5]))),
    "cut inside an event": then_close(head() + chunk(STREAM[:700])),
    "ended without a stop": sent(*EVENTS[:5]),
    "ended before its last event": sent(*EVENTS[:-1]),
}


@pytest.fixture
def way(start: Any, upstream: FakeUpstream) -> httpx2.Client:
    """Into a gateway before a scripted model that speaks Anthropic's dialect."""
    model = f'  claude: {{url: "{upstream.url}", model_id: m, dialect: anthropic}}\n'
    app = start(ROUTES, models=model).client.application
    return httpx2.Client(transport=httpx2.WSGITransport(app=app))


def messages(way: Any) -> str:
    """What Anthropic's SDK reads."""
    client = anthropic.Anthropic(
        api_key="a-key-for-tests", base_url="http://gateway", max_retries=0, http_client=way
    )
    asked: Any = [{"role": "user", "content": "Wo?"}]
    with client.messages.stream(model="claude", max_tokens=50, messages=asked) as stream:
        return "".join(stream.text_stream)


def chat(way: Any) -> str:
    """What OpenAI's SDK reads of the same model."""
    client = openai.OpenAI(
        api_key="a-key-for-tests", base_url="http://gateway/v1", max_retries=0, http_client=way
    )
    asked: Any = [{"role": "user", "content": "Wo?"}]
    chunks = client.chat.completions.create(model="claude", messages=asked, stream=True)
    return "".join(choice.delta.content or "" for found in chunks for choice in found.choices)


@pytest.mark.parametrize("read", [messages, chat])
@pytest.mark.parametrize("name", WHOLE)
def test_an_odd_stream_is_whole(
    way: Any, upstream: FakeUpstream, name: str, read: Callable[[Any], str]
) -> None:
    """Every word comes, in either SDK."""
    upstream.script(WHOLE[name])
    assert read(way) == SAID


@pytest.mark.parametrize(
    ("read", "kind"), [(messages, anthropic.APIStatusError), (chat, openai.APIError)]
)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_an_exception(
    way: Any, upstream: FakeUpstream, name: str, read: Any, kind: type[Exception]
) -> None:
    """What breaks after the first word raises in either SDK; it is never a silent end."""
    upstream.script(BROKEN[name])
    with pytest.raises(kind):
        read(way)


@pytest.mark.parametrize(
    ("path", "held"),
    [("messages", '"input":{"id":%d}'), ("chat/completions", r'"arguments":"{\"id\":%d}"')],
)
@pytest.mark.parametrize("number", [2**64 - 1, 123456789012345678901234567890])
def test_a_tools_integers_are_exact(
    way: Any, upstream: FakeUpstream, path: str, held: str, number: int
) -> None:
    """What a model gives to a tool comes as it is, beyond 64 bits too, through either API."""
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"id": number}}
    answer = {"type": "message", "role": "assistant", "content": [block]}
    upstream.script(reply({**answer, "stop_reason": "tool_use"}))
    asked = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Wo?"}]}
    key = {"x-api-key": "a-key-for-tests"}
    found = way.post(f"http://gateway/v1/{path}", json=asked, headers=key)
    assert held % number in found.text
