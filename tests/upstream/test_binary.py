"""Bytes that are passed on as they come, and what is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError, UpstreamUnavailable
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Upstreams
from ai_gateway.upstream.binary import Binary
from tests.upstream.fake import FakeUpstream, reply

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\nx-request-id: r1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


@pytest.fixture
def speak(upstream: FakeUpstream, upstreams: Upstreams) -> Callable[..., Binary]:
    """Ask the scripted upstream to speak."""

    def call() -> Binary:
        model = Model.model_validate({"url": upstream.url, "model_id": "tts"})
        end = SystemClock().monotonic() + 5
        return upstreams.binary(model, "/audio/speech", {"input": "hi"}, end)

    return call


def test_bytes_come_in_pieces(speak: Any, upstream: FakeUpstream) -> None:
    """The bytes are those that were sent, under the upstream's own type; the body was JSON."""
    upstream.script(HEAD + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    with_head = speak()
    assert (with_head.content_type, with_head.status) == ("audio/mpeg", 200)
    assert (with_head.request_id, with_head.simulated) == ("r1", False)
    assert b"".join(with_head) == b"abc"
    assert list(with_head) == []
    (got,) = upstream.requests
    assert got.json() == {"input": "hi", "model": "tts"}
    assert got.headers["accept"] == "*/*"


def test_what_breaks_off_is_raised(speak: Any, upstream: FakeUpstream) -> None:
    """A body that is cut is an error after the bytes that came, never an end."""
    upstream.script(lambda connection, _: connection.sendall(HEAD + b"2\r\nab\r\n9\r\nc"))
    found = speak()
    assert next(found) == b"ab"
    with pytest.raises(UpstreamError):
        list(found)


def test_who_closes_gets_no_more(speak: Any, upstream: FakeUpstream) -> None:
    """The connection is let go, and nothing follows."""
    upstream.script(HEAD + b"2\r\nab\r\n")
    found = speak()
    found.close()
    assert list(found) == []


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (reply(b"", 200, None, "audio/mpeg"), UpstreamError, "nothing"),
        (reply({"error": {"message": "m", "code": 400}}), UpstreamError, "It said: m"),
        (reply({"text": "hi"}), UpstreamError, "binary data was due"),
        (reply(b"<html>", 200, None, "text/html"), UpstreamError, "HTML page"),
        (reply({"error": {"message": "m"}}, 503), UpstreamUnavailable, "model tts"),
    ],
)
def test_what_is_no_sound(speak: Any, upstream: FakeUpstream, answer, kind, said) -> None:
    """An error, a page and an empty answer are raised before anything is passed on."""
    upstream.script(answer)
    with pytest.raises(kind, match=said):
        speak()
