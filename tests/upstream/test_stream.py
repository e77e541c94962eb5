"""A stream is passed on event by event, and however it ends can be told.

One file: a table of what a stream can do on the wire.
"""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import vcr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.errors import (
    UpstreamColdStart,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ai_gateway.manifest.model import Model, Timeout
from ai_gateway.upstream import Upstreams
from tests.upstream.fake import (
    DONE,
    FakeUpstream,
    chunk,
    completion,
    delta,
    event,
    gated,
    hang,
    head,
    paced,
    reply,
    streamed,
    then_close,
)

pytestmark = pytest.mark.wire

SILENT = event(delta(""))
HELLO = [event(delta(text)) for text in ("Hel", "lo", "!")]


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether ``holds`` comes true within three seconds."""
    end = time.monotonic() + 3
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def texts(stream: Any) -> list[str]:
    """The text of each chunk."""
    return [
        choice["delta"]["content"] for _, data in stream for choice in data.get("choices") or []
    ]


def test_a_stream_is_read(listen: Any, upstream: FakeUpstream) -> None:
    """Events come in order, the end is noted, and the connection serves again."""
    upstream.script(streamed(*HELLO, DONE, x_request_id="req-1"), streamed(*HELLO, DONE))
    stream = listen()
    assert (stream.status, stream.request_id, stream.done) == (200, "req-1", False)
    assert 0 < stream.first_byte_ms <= stream.first_event_ms
    assert texts(stream) == ["Hel", "lo", "!"]
    assert stream.done
    assert not stream.simulated
    assert list(stream) == []
    assert texts(listen()) == ["Hel", "lo", "!"]
    assert upstream.connections == 1


@pytest.mark.parametrize(
    ("path", "given_options", "sent", "asked"),
    [
        ("/chat/completions", None, {"include_usage": True}, False),
        ("/chat/completions", {"include_usage": True}, {"include_usage": True}, True),
        ("/chat/completions", {"include_usage": False}, {"include_usage": True}, False),
        ("/chat/completions", {"x": 1}, {"x": 1, "include_usage": True}, False),
        ("/chat/completions", "odd", "odd", False),
        ("/completions", None, {"include_usage": True}, False),
        ("/responses", None, None, False),
        ("/responses", {"include_obfuscation": False}, {"include_obfuscation": False}, False),
        ("/messages", None, None, False),
    ],
)
def test_the_usage_is_asked_for(
    listen: Any, upstream: FakeUpstream, path: str, given_options: Any, sent: Any, *, asked: bool
) -> None:
    """A stream asks for its usage where that must be asked, and says whether the caller did."""
    upstream.script(streamed(*HELLO, DONE))
    body = {"stream": False} | ({"stream_options": given_options} if given_options else {})
    stream = listen(path=path, body=body)
    stream.close()
    (got,) = upstream.requests
    options = {} if sent is None else {"stream_options": sent}
    assert got.json() == {"model": "meta/llama", "stream": True} | options
    assert got.target == f"/v1{path}"
    assert got.headers["accept"] == "text/event-stream"
    assert stream.usage_asked is asked


def test_a_strict_upstream_gets_no_options(listen: Any, upstream: FakeUpstream) -> None:
    """One that is declared to refuse `stream_options` gets none, not even the caller's."""
    upstream.script(streamed(*HELLO, DONE))
    body = {"messages": [], "stream_options": {"include_usage": True}}
    stream = listen(body=body, include_usage=False)
    assert texts(stream) == ["Hel", "lo", "!"]
    assert "stream_options" not in upstream.requests[0].json()


def test_events_come_as_they_are_sent(listen: Any, upstream: FakeUpstream) -> None:
    """No event waits for the next one (Kong 14425: a stream that was buffered)."""
    gate = threading.Semaphore(2)
    upstream.script(gated([head(), *map(chunk, [*HELLO, DONE]), chunk(b"")], gate))
    stream = listen()
    for text in ("Hel", "lo", "!"):
        assert next(stream) == (None, delta(text))
        gate.release()
    gate.release()
    assert list(stream) == []
    assert stream.done


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(1, 400), max_size=6), ends=st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_cut_into_chunks(
    listen: Any, upstream: FakeUpstream, cuts: list[int], ends: str
) -> None:
    """Events are whole wherever the chunks are cut, in the middle of a letter too."""
    said = ["ü", "🎈🎈", "日本"]
    data = b": ping\n\n" + b"".join(event(delta(text), "named") for text in said) + DONE
    data = data.replace(b"\n", ends.encode())
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    upstream.script(streamed(*pieces))
    stream = listen()
    assert texts(stream) == said
    assert stream.done


@pytest.mark.parametrize(
    "data",
    [
        b": ping\n\n" + b"".join(HELLO) + DONE,
        b": OPENROUTER PROCESSING\n\n" * 30 + b"".join(HELLO) + DONE,
        b"\n\n\n" + b"".join(HELLO) + DONE,
        b"\xef\xbb\xbf" + b"".join(HELLO) + DONE,
        b"data:\n\n" + b"".join(HELLO) + b"data: \n\n" + DONE,
        b"id: 1\nretry: 10\n" + b"".join(HELLO) + DONE,
        b"".join(HELLO) + b"data:[DONE]\n\n",
        b"".join(HELLO) + b"data: [DONE] \n",
        b"".join(HELLO) + b"data: [DONE]",
        b"".join(HELLO) + DONE + b"data: what comes after is of no interest\n\n",
        b"event: x\ndata: [DONE]\n\n".join([b"".join(HELLO), b""]),
    ],
)
def test_signs_of_life_and_ends(listen: Any, upstream: FakeUpstream, data: bytes) -> None:
    """Comments, blank events and unusual ends hurt nothing (Portkey 1035: a ping that crashed)."""
    upstream.script(streamed(data))
    stream = listen()
    assert texts(stream) == ["Hel", "lo", "!"]
    assert stream.done


def test_usage_chunks_pass(listen: Any, upstream: FakeUpstream) -> None:
    """Chunks with empty or no choices are events too (Portkey 1072 and 1627: they crashed)."""
    odd: list[dict[str, Any]] = [
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"choices": None, "usage": None},
        {"x_groq": {"usage": {}}},
        {"choices": [{"finish_reason": "content_filter", "content_filter_offsets": {}}]},
        {"choices": [{"index": 0, "delta": {"reasoning": "a", "reasoning_content": "b"}}]},
        {"error": None, "choices": []},
        {},
    ]
    upstream.script(streamed(*map(event, odd), DONE))
    assert [data for _, data in listen()] == odd


def test_names_pass(listen: Any, upstream: FakeUpstream) -> None:
    """Named events keep their names, and a stream may end without ``[DONE]`` (Anthropic's do)."""
    names = ["message_start", "ping", "content_block_delta", "message_stop"]
    upstream.script(*[streamed(*(event({"type": name}, name) for name in names))] * 2)
    stream = listen(path="/messages")
    assert list(stream) == [(name, {"type": name}) for name in names]
    assert not stream.done
    assert len(list(listen(path="/messages"))) == len(names)
    assert upstream.connections == 1


def test_bytes_that_are_no_utf8_are_replaced(listen: Any, upstream: FakeUpstream) -> None:
    """Half a letter between two events is shown as such, and breaks nothing."""
    broken = b'data: {"choices":[{"delta":{"content":"a\xe2\x82"}}]}\n\n'
    upstream.script(streamed(broken, *HELLO, DONE))
    assert texts(listen()) == ["a\ufffd", "Hel", "lo", "!"]


def test_a_stream_without_chunked_coding(listen: Any, upstream: FakeUpstream) -> None:
    """A stream that ends with its connection, as of HTTP/1.0, is one, whatever its type says."""
    first = b"HTTP/1.0 200 OK\r\n\r\n"
    upstream.script(then_close(first + b"".join(HELLO) + DONE), then_close(first + HELLO[0]))
    stream, cut = listen(), listen()
    assert texts(stream) == ["Hel", "lo", "!"]
    assert stream.done
    assert texts(cut) == ["Hel"]
    assert not cut.done


ERRORS = [
    ({"error": {"message": "m", "code": 400}}, None, UpstreamRefused, 400),
    (
        {"error": {"message": "m", "code": 400}, "choices": [{"delta": {"content": ""}}]},
        None,
        UpstreamRefused,
        400,
    ),
    ({"error": {"message": "m", "type": "BadRequestError"}}, None, UpstreamRefused, 400),
    ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, None, UpstreamRateLimited, 429),
    ({"error": {"message": "m", "status": 400, "code": "x"}}, None, UpstreamRefused, 400),
    ({"error": "m"}, None, UpstreamError, 500),
    ({"object": "error", "message": "m", "code": 404}, None, UpstreamRefused, 404),
    ([{"error": {"code": 503, "message": "m"}}], None, UpstreamUnavailable, 503),
    (
        {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
        "error",
        UpstreamUnavailable,
        529,
    ),
    (
        {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}},
        "error",
        UpstreamRefused,
        400,
    ),
    ({"type": "error", "code": "server_error", "message": "m"}, None, UpstreamError, 500),
    ({"message": "m"}, "error", UpstreamError, 500),
    ("m", "error", UpstreamError, 500),
]


@pytest.mark.parametrize(("data", "name", "kind", "status"), ERRORS)
@pytest.mark.parametrize("late", [False, True])
def test_errors_in_the_stream(
    listen: Any,
    upstream: FakeUpstream,
    data: Any,
    name: str | None,
    kind: type[UpstreamError],
    *,
    status: int,
    late: bool,
) -> None:
    """An error under status 200 raises where it stands, first or late (mlflow 25897: unseen)."""
    begun = HELLO if late else []
    upstream.script(streamed(*begun, event(data, name), DONE, x_request_id="r1"))
    got: list[str] = []
    with pytest.raises(UpstreamError, match="It said: m") as caught:
        got.extend(data["choices"][0]["delta"]["content"] for _, data in listen())
    assert len(got) == len(begun) or not got
    assert (type(caught.value), caught.value.status) == (kind, status)
    assert caught.value.headers["x-upstream-request-id"] == "r1"
    assert upstream.connections == 1


def test_an_error_after_the_first_events(listen: Any, upstream: FakeUpstream) -> None:
    """What came before a late error was passed on, and it ends there (litellm 26015: a loop)."""
    upstream.script(streamed(*HELLO, event({"error": {"message": "m", "code": 429}}), *HELLO))
    stream = listen()
    assert [next(stream) for _ in HELLO] == [(None, delta(text)) for text in ("Hel", "lo", "!")]
    with pytest.raises(UpstreamRateLimited):
        next(stream)
    assert list(stream) == []


@pytest.mark.parametrize(
    ("step", "kind", "said"),
    [
        (reply({"error": {"message": "m"}}, 400), UpstreamRefused, "It said: m"),
        (reply({"error": {"message": "m"}}, 429), UpstreamRateLimited, "It said: m"),
        (reply(b"no healthy upstream", 503), UpstreamColdStart, "no healthy upstream"),
        (reply(b"", 500), UpstreamError, "failed"),
        (reply(b"", 302), UpstreamError, "redirect"),
        (reply({"error": {"message": "m", "code": 404}}), UpstreamRefused, "It said: m"),
        (reply(completion()), UpstreamError, "in one piece"),
        (reply(b"<html>", 200, None, "text/html"), UpstreamError, "HTML page"),
        (reply(b"{", 200, None, "text/event-stream"), UpstreamError, "JSON was due"),
        (reply(b"[]"), UpstreamError, "no object"),
        (reply(b"", 200, None, "text/event-stream"), UpstreamError, "before it said anything"),
        (reply(b"all is well", 200, None, "text/plain"), UpstreamError, "before it said anything"),
        (streamed(), UpstreamError, "before it said anything"),
        (streamed(DONE), UpstreamError, "before it said anything"),
        (streamed(b": ping\n\n"), UpstreamError, "before it said anything"),
        (streamed(event("no json")), UpstreamError, "no JSON object"),
        (streamed(event([1])), UpstreamError, "no JSON object"),
        (streamed(event("[" * 2000)), UpstreamError, "no JSON object"),
        (streamed(event("[" * 300 + "]" * 300)), UpstreamError, "no JSON object"),
        (streamed(event('{"a":' * 300 + "1" + "}" * 300)), UpstreamError, "no JSON object"),
        (streamed(event("{}"), content_encoding="br"), UpstreamError, "coding"),
        (then_close(head()), UpstreamError, "ended early"),
        (then_close(head() + b"5\r\nda"), UpstreamError, "ended early"),
        (then_close(b""), UpstreamError, "without an answer"),
    ],
)
def test_failures_before_the_first_event(
    listen: Any, upstream: FakeUpstream, step: Any, kind: type[UpstreamError], said: str
) -> None:
    """What fails before the first event is raised at once, so that another model can be asked."""
    upstream.script(step)
    with pytest.raises(UpstreamError, match=said) as caught:
        listen()
    assert type(caught.value) is kind


def words(data: Any) -> bool:
    """Whether a chunk has any."""
    return bool(data["choices"][0]["delta"]["content"])


def test_what_says_nothing_yet_waits_for_what_does(
    listen: Any, upstream: FakeUpstream, over: Any
) -> None:
    """A stream is opened with its first word; every event comes once, in order."""
    upstream.script(
        paced([head(), *map(chunk, [SILENT, SILENT, *HELLO, DONE]), chunk(b"")], 0.1, over)
    )
    stream = listen(says=words)
    assert stream.first_event_ms >= stream.first_byte_ms + 200
    assert texts(stream) == ["", "", "Hel", "lo", "!"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (streamed(SILENT, event({"error": "m"}), *HELLO, DONE), UpstreamError),
        (streamed(SILENT, event({"error": {"code": 503, "message": "m"}})), UpstreamUnavailable),
        (then_close(head() + chunk(SILENT)), UpstreamError),
        (streamed(SILENT, DONE), UpstreamError),
        (streamed(SILENT), UpstreamError),
    ],
)
def test_what_breaks_before_the_first_word_is_raised_at_once(
    listen: Any, upstream: FakeUpstream, step: Any, kind: type[UpstreamError]
) -> None:
    """Nobody was told anything yet, so another model can be asked; the connection is let go of."""
    upstream.script(step, streamed(*HELLO, DONE))
    with pytest.raises(UpstreamError) as caught:
        listen(says=words, max_connections=1)
    assert type(caught.value) is kind
    assert texts(listen(max_connections=1)) == ["Hel", "lo", "!"]


def test_a_silence_of_many_events_is_passed_on(listen: Any, upstream: FakeUpstream) -> None:
    """No more than a hundred are held."""
    upstream.script(streamed(*[SILENT] * 100, event({"error": "m"})))
    stream = listen(says=words)
    assert [next(stream) for _ in range(100)] == [(None, delta(""))] * 100
    with pytest.raises(UpstreamError, match="m"):
        next(stream)


def test_a_silence_that_lasts_is_passed_on(listen: Any, upstream: FakeUpstream, over: Any) -> None:
    """A model that shows that it is alive is held no longer than it may be silent at first."""
    upstream.script(paced([head(), *[chunk(SILENT)] * 20], 0.1, over))
    began = time.monotonic()
    stream = listen(says=words, timeout={"first_byte": "500ms"})
    assert 0.4 < time.monotonic() - began < 1.5
    assert next(stream) == (None, delta(""))
    stream.close()
    assert list(stream) == []


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"ff\r\n" + HELLO[0],
        chunk(b'data: {"choices": [{"delta": {"content": "\xc3'),
        chunk(b'data: {"choices": ') + chunk(b""),
        b"xyz\r\n",
    ],
)
def test_a_cut_is_seen(listen: Any, upstream: FakeUpstream, end: bytes) -> None:
    """A stream that was not ended as HTTP ends it raises, after what came (bifrost 6390)."""
    upstream.script(then_close(head() + chunk(HELLO[0]) + end))
    stream = listen()
    got = []
    with pytest.raises(UpstreamError, match="ended early"):
        got.extend(stream)
    assert got[0] == (None, delta("Hel"))
    assert not stream.done


def test_a_cut_short_of_its_length_is_seen(listen: Any, upstream: FakeUpstream) -> None:
    """A stream that says its length and holds less raises."""
    upstream.script(then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + HELLO[0]))
    with pytest.raises(UpstreamError, match="ended early"):
        list(listen())


def test_a_cut_after_done_is_none(listen: Any, upstream: FakeUpstream) -> None:
    """After ``[DONE]`` nothing is missing, however the connection ends."""
    upstream.script(then_close(head() + chunk(HELLO[0]) + chunk(DONE)))
    stream = listen()
    assert texts(stream) == ["Hel"]
    assert stream.done


def test_what_comes_after_done_is_passed_over(listen: Any, upstream: FakeUpstream) -> None:
    """Whatever an upstream still says after ``[DONE]``, its connection serves again."""
    upstream.script(*[streamed(*HELLO, DONE, event({"error": "m"}), b": bye\n\n")] * 2)
    for _ in range(2):
        assert texts(listen()) == ["Hel", "lo", "!"]
    assert upstream.connections == 1


def test_silence_after_done_is_short(
    listen: Any, upstream: FakeUpstream, over: threading.Event
) -> None:
    """An upstream that does not end its answer after ``[DONE]`` holds nobody up."""
    upstream.script(paced([head() + chunk(HELLO[0]) + chunk(DONE)], 3, over))
    started = time.monotonic()
    assert texts(listen()) == ["Hel"]
    assert time.monotonic() - started < 1
    upstream.script(streamed(*HELLO, DONE))
    assert texts(listen()) == ["Hel", "lo", "!"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_silent_stream_is_given_up(
    listen: Any, upstream: FakeUpstream, over: Any, *, begun: bool
) -> None:
    """A stream that falls silent ends after timeout.stall, before its first event or after."""
    pieces = [head() + (chunk(HELLO[0]) if begun else b"")]
    upstream.script(paced(pieces, 3, over))
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="fell silent"):
        list(listen(timeout={"stall": "200ms"}))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("declared", "seconds"),
    [({}, 60), ({"first_byte": "1s"}, 60), ({"first_byte": "5m"}, 300), ({"stall": "2s"}, 2)],
)
def test_a_slow_model_may_be_silent_for_longer(declared: Any, seconds: float) -> None:
    """A stream may be silent for as long as its model may take to begin, at least 60 s."""
    assert Timeout.model_validate(declared).silence == seconds


def asked(upstream: FakeUpstream, path: str = "/chat/completions") -> tuple[Model, str, Any]:
    """A question for a stream."""
    return Model(url=upstream.url, model_id="m"), path, {}


def test_comments_are_signs_of_life(
    listen: Any, upstream: FakeUpstream, over: threading.Event
) -> None:
    """A stream whose pauses are filled with comments is not silent."""
    pieces = [head(), *[chunk(b": ping\n\n")] * 8, chunk(HELLO[0]), chunk(DONE), chunk(b"")]
    upstream.script(paced(pieces, 0.1, over))
    assert texts(listen(timeout={"stall": "500ms"})) == ["Hel"]


def test_the_deadline_ends_a_stream(
    listen: Any, upstream: FakeUpstream, over: threading.Event
) -> None:
    """A stream that goes on and on ends at the deadline."""
    upstream.script(paced([head(), *[chunk(HELLO[0])] * 100], 0.05, over))
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="before the deadline"):
        list(listen(within=0.5))
    assert 0.4 < time.monotonic() - started < 2


def test_the_first_byte_has_its_time(listen: Any, upstream: FakeUpstream, over: Any) -> None:
    """An upstream that does not begin is given up after timeout.first_byte."""
    upstream.script(hang(over))
    with pytest.raises(UpstreamTimeout, match="no first byte"):
        listen(timeout={"first_byte": "200ms"})


@pytest.mark.parametrize("leave", ["at once", "later"])
def test_leaving_early_closes_the_connection(
    listen: Any, upstream: FakeUpstream, over: threading.Event, leave: str
) -> None:
    """A stream that is closed before its end closes its connection (new-api 4184: it went on)."""
    upstream.script(paced([head(), *[chunk(HELLO[0])] * 500], 0.01, over))
    stream = listen()
    if leave == "later":
        next(stream)
        next(stream)
    stream.close()
    stream.close()
    assert list(stream) == []
    assert eventually(lambda: not upstream.open)


def test_a_forgotten_stream_closes_its_connection(
    listen: Any, upstream: FakeUpstream, over: threading.Event
) -> None:
    """A stream that nobody holds any more lets go of its connection."""
    upstream.script(paced([head(), *[chunk(HELLO[0])] * 500], 0.01, over))
    listen()
    assert eventually(lambda: not upstream.open)


def test_a_refused_token_is_renewed(listen: Any, upstream: FakeUpstream, tmp_path: Path) -> None:
    """A stream whose token file was renewed meanwhile is asked for once more."""
    file = tmp_path / "token"
    file.write_text("first", encoding="utf-8")
    upstream.script(reply({}, 401), streamed(*HELLO, DONE))
    assert texts(listen(credentials={"token_file": str(file)})) == ["Hel", "lo", "!"]


def flushed(pieces: list[bytes], window: int) -> list[bytes]:
    """``pieces`` compressed, each flushed so that it can be read at once."""
    packer = zlib.compressobj(wbits=window)
    packed = [packer.compress(one) + packer.flush(zlib.Z_SYNC_FLUSH) for one in pieces]
    return [*packed, packer.flush()]


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", lambda pieces: flushed(pieces, 31)),
        ("deflate", lambda pieces: flushed(pieces, 15)),
        ("deflate", lambda pieces: flushed(pieces, -15)),
        ("gzip", lambda pieces: [gzip.compress(one) for one in pieces]),
    ],
)
def test_compressed_streams(listen: Any, upstream: FakeUpstream, coding: str, pack: Any) -> None:
    """A compressed stream is read as it comes, although none was asked for."""
    gate = threading.Semaphore(2)
    packed = map(chunk, pack([*HELLO, DONE]))
    upstream.script(gated([head(content_encoding=coding), *packed, chunk(b"")], gate))
    stream = listen()
    for text in ("Hel", "lo", "!"):
        assert next(stream) == (None, delta(text))
        gate.release()
    gate.release(2)
    assert list(stream) == []
    assert stream.done


@pytest.mark.parametrize(("coding", "window"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_compressed_streams_byte_by_byte(
    listen: Any, upstream: FakeUpstream, coding: str, window: int
) -> None:
    """A compressed stream is read wherever it is cut."""
    data = b"".join(flushed([*HELLO, DONE], window))
    upstream.script(streamed(*(bytes([byte]) for byte in data), content_encoding=coding))
    assert texts(listen()) == ["Hel", "lo", "!"]


def test_a_compressed_stream_that_is_cut(listen: Any, upstream: FakeUpstream) -> None:
    """A compressed stream whose end is missing raises, though HTTP says that it is whole."""
    upstream.script(streamed(*flushed(HELLO, 31)[:-1], content_encoding="gzip"))
    with pytest.raises(UpstreamError, match="broken gzip"):
        list(listen())


@pytest.mark.parametrize("data", [b": " + b"x" * 20_000_000, b"data: {}\n\n" * 100_000])
def test_a_bomb_is_refused(upstream: FakeUpstream, data: bytes) -> None:
    """A stream that unpacks to more than the bounds is refused without growing further."""
    upstream.script(reply(zlib.compress(data, 1), 200, {"content-encoding": "deflate"}))
    ways = Upstreams(SystemClock(), {}, max_stream=500_000)
    with pytest.raises(UpstreamError, match="more than 500000 bytes"):
        list(ways.stream(*asked(upstream), SystemClock().monotonic() + 5))
    ways.close()


LINES = st.sampled_from(
    [
        b"data: ",
        b'data: {"choices": []}\n\n',
        b'data: {"error": ',
        b'{"message": []}}',
        b"event: error\n",
        b"data: [DONE]\n\n",
        b"\r",
        b"\n\n",
        b"{",
        b"[{",
        b"<html>",
        b"\xef\xbb\xbf",
        b": ping\n\n",
        b"null",
        b"\xff",
    ]
)
ANY = st.lists(LINES | st.binary(max_size=9), max_size=12).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=ANY, cut=st.booleans(), coding=st.sampled_from(["", "gzip", "deflate", "br"]))
@example(data=event("{}"), cut=False, coding="")
def test_any_bytes(
    listen: Any, upstream: FakeUpstream, data: bytes, coding: str, *, cut: bool
) -> None:
    """No bytes of a stream raise anything but an UpstreamError."""
    end = b"" if cut else chunk(b"")
    upstream.script(
        then_close(head(content_encoding=coding) + (chunk(data) if data else b"") + end)
    )
    with suppress(UpstreamError):
        for name, value in listen():
            assert name is None or isinstance(name, str)
            assert isinstance(value, dict)


def test_streams_are_recorded_and_replayed(
    upstream: FakeUpstream, upstreams: Upstreams, tmp_path: Path
) -> None:
    """A recorder sees a stream, and replays it without the upstream."""
    cassette = str(tmp_path / "stream.yaml")
    recorder = vcr.VCR(match_on=["method", "host", "port", "path", "body"])
    upstream.script(streamed(*HELLO, DONE, x_request_id="r"), reply({"error": "no"}, 400))

    def exchanges(ways: Upstreams) -> list[Any]:
        end = SystemClock().monotonic() + 5
        stream = ways.stream(*asked(upstream), end)
        events = list(stream)
        with pytest.raises(UpstreamRefused) as caught:
            ways.stream(*asked(upstream, "/completions"), end)
        return [events, stream.done, stream.request_id, caught.value.message]

    with recorder.use_cassette(cassette, record_mode="all"):
        live = exchanges(upstreams)
    assert live[1:3] == [True, "r"]
    upstream.close()
    with recorder.use_cassette(cassette, record_mode="none") as played:
        assert exchanges(Upstreams(SystemClock(), {})) == live
        assert played.all_played


def test_nothing_leaks(upstream: FakeUpstream, over: threading.Event) -> None:
    """After every kind of end each connection is closed or idle, and the bound is whole."""
    ways, clock = Upstreams(SystemClock(), {}), SystemClock()
    model = Model(url=upstream.url, model_id="m", max_connections=3, timeout=Timeout(stall=0.1))
    ends = [
        streamed(*HELLO, DONE),
        streamed(*HELLO),
        streamed(DONE),
        streamed(event({"error": "m"})),
        streamed(*HELLO, event({"error": "m"})),
        then_close(head() + chunk(HELLO[0])),
        reply({}, 500),
        reply(completion()),
        streamed(*HELLO, content_encoding="br"),
        paced([head() + chunk(HELLO[0])], 3, over),
        paced([head() + chunk(HELLO[0]) + chunk(DONE)], 3, over),
    ]
    for end in ends * 3:
        upstream.script(end)
        with suppress(UpstreamError):
            list(ways.stream(model, "/chat/completions", {}, clock.monotonic() + 5))
    over.set()
    (transport,) = ways._transports._all()
    assert eventually(lambda: len(upstream.open) == len(transport.pool) <= 3)
    assert transport.pool._free.qsize() == 3
    ways.close()
    assert eventually(lambda: not upstream.open)
