"""What servers really send that breaks careless readers of streams."""

import gzip
import json
import time
import zlib
from typing import Any

import httpx
import pytest

from ai_gateway.simulator import faults, traps
from ai_gateway.simulator.reply import Reply
from tests.simulator.conftest import Client, events

QUESTION = "What is a Finite State Machine?"


def streamed(client: Client, directive: str, **fields: object) -> list[Any]:
    """The chunks of a stream under a directive, without its end mark."""
    headers = {"x-simulate": directive}
    return events(client.ask(QUESTION, headers=headers, stream=True, **fields))[:-1]


def said(chunks: list[Any]) -> str:
    """What the deltas say, however they are spoiled."""
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)


@pytest.mark.parametrize(
    "directive",
    ["duplicate-finish", "empty-deltas", "bare-choices", "usage-chunk", "empty-choices"],
)
def test_traps_leave_the_text_whole(shared: Client, directive: str) -> None:
    """A trap adds chunks and takes nothing away from the answer."""
    plain = streamed(shared, "latency=0")
    trapped = streamed(shared, directive)
    assert len(trapped) > len(plain)
    assert said(trapped) == said(plain)


def test_duplicate_finish(shared: Client) -> None:
    """The finish reason comes twice, with usage after it."""
    *_, first, second, usage = streamed(
        shared, "duplicate-finish", stream_options={"include_usage": True}
    )
    assert first == second
    assert first["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []


def test_empty_deltas(shared: Client) -> None:
    """After each chunk there is one with an empty delta and one with null."""
    _, empty, null, *_ = streamed(shared, "empty-deltas")
    assert empty["choices"][0]["delta"] == {}
    assert null["choices"][0]["delta"] == {"content": None}


def test_bare_choices(shared: Client) -> None:
    """There is a choice without a delta, one with null, and a chunk without choices."""
    _, without, null, none, *_ = streamed(shared, "bare-choices")
    assert "delta" not in without["choices"][0]
    assert null["choices"][0]["delta"] is None
    assert "choices" not in none
    plain = shared.ask(f"{QUESTION} [[simulate bare-choices]]").json()
    assert "message" not in plain["choices"][0]


def test_empty_choices(shared: Client) -> None:
    """The first chunk has no choices, nor has a plain completion any."""
    assert streamed(shared, "empty-choices")[0]["choices"] == []
    assert shared.ask(f"{QUESTION} [[simulate empty-choices]]").json()["choices"] == []


def test_usage_chunk_before_the_end(shared: Client) -> None:
    """Usage comes with empty choices though nobody asked, also where the end mark is missing."""
    assert streamed(shared, "usage-chunk")[-1]["choices"] == []
    last = events(shared.ask(f"{QUESTION} [[simulate usage-chunk; no-done]]", stream=True))[-1]
    assert last["usage"]["total_tokens"]


def test_broken_event(shared: Client) -> None:
    """One event cannot be parsed."""
    reply = shared.ask(f"{QUESTION} [[simulate broken-event]]", stream=True)
    with pytest.raises(json.JSONDecodeError):
        events(reply)


@pytest.mark.parametrize(("directive", "ends"), [("crlf", b"\r\n"), ("cr", b"\r")])
def test_line_ends(shared: Client, directive: str, ends: bytes) -> None:
    """Lines may end in CR LF or in CR alone."""
    reply = shared.ask(f"{QUESTION} [[simulate {directive}]]", stream=True)
    assert reply.content.endswith(b"data: [DONE]" + 2 * ends)
    assert b"\n" not in reply.content.replace(ends, b"")


@pytest.mark.parametrize("stream", [False, True])
def test_split_writes(shared: Client, *, stream: bool) -> None:
    """The body comes in writes of so many bytes, which take no notice of events."""
    plain = shared.ask(QUESTION, stream=stream)
    assert shared.ask(QUESTION, headers={"x-simulate": "split"}, stream=stream).text == plain.text
    whole = Reply(200, (b"data: 1\n\n", b"data: 2\n\n"), streamed=stream)
    split = faults.edit(whole, faults.parse("split=7"))
    assert split.pieces == (b"data: 1", b"\n\ndata:", b" 2\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_gzip(shared: Client, *, stream: bool) -> None:
    """The body is compressed, and whole."""
    body = shared.body(f"{QUESTION} [[simulate gzip]]", stream=stream)
    with shared.http.stream("POST", f"{shared.path()}/chat/completions", json=body) as reply:
        assert reply.headers["content-encoding"] == "gzip"
        assert b"finite" in gzip.decompress(b"".join(reply.iter_raw()))


def test_a_gzipped_stream_is_flushed_event_by_event(shared: Client) -> None:
    """What has arrived of a compressed stream can be read at once."""
    directive = "gzip; chunk-delay=0.2; tokens=2"
    body = shared.body(f"{QUESTION} [[simulate {directive}]]", stream=True)
    with shared.http.stream("POST", f"{shared.path()}/chat/completions", json=body) as reply:
        first = next(reply.iter_raw())
        assert b'"role":"assistant"' in zlib.decompressobj(wbits=31).decompress(first)


def test_chunk_delay(shared: Client) -> None:
    """Each chunk comes so much later."""
    start = time.monotonic()
    streamed(shared, "chunk-delay=0.05; tokens=4")
    assert time.monotonic() - start >= 6 * 0.05


@pytest.mark.parametrize(("stream", "count"), [(False, 500), (True, 3)])
def test_tokens(shared: Client, count: int, *, stream: bool) -> None:
    """An answer may have any length."""
    options = {"stream_options": {"include_usage": True}} if stream else {}
    reply = shared.ask(f"{QUESTION} [[simulate tokens={count}]]", stream=stream, **options)
    usage = events(reply)[-2]["usage"] if stream else reply.json()["usage"]
    assert usage["completion_tokens"] == count


@pytest.mark.parametrize("count", [0, 1, 3])
def test_late_error_after_so_many_events(shared: Client, count: int) -> None:
    """The error is the event after so many, the first one even, under a status of 200."""
    reply = shared.ask(f"{QUESTION} [[simulate late-error={count}]]", stream=True)
    *chunks, error, done = events(reply)
    assert reply.status_code == 200
    assert len(chunks) == count
    assert error["error"]["message"]
    assert done == "data: [DONE]"


@pytest.mark.parametrize("directive", sorted(traps.TRAPS))
@pytest.mark.parametrize("path", ["/messages", "/responses", "/completions"])
def test_traps_do_no_harm_to_other_streams(shared: Client, path: str, directive: str) -> None:
    """A trap that is about chunks of chat completions leaves other events alone."""
    fields = {
        "/messages": {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 9},
        "/responses": {"input": QUESTION},
        "/completions": {"prompt": QUESTION},
    }[path]
    reply = shared.send(path, directive=directive, stream=True, **fields)
    assert reply.status_code == 200
    assert reply.content


def test_a_late_error_in_each_dialect(shared: Client) -> None:
    """The error event is that of the API."""
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
    *_, error = events(shared.send("/messages", directive="late-error", stream=True, **asked))
    assert error["type"] == "error"
    assert error["error"]["type"] == "api_error"
    *_, error = events(shared.send("/responses", directive="late-error", stream=True, input="Hi"))
    assert (error["type"], error["code"]) == ("error", "InternalServerError")


@pytest.mark.parametrize(
    ("path", "directive", "shape"),
    [
        ("/messages", "status=529", {"type", "error"}),
        ("/messages", "status=503-flat", {"object", "message", "type", "param", "code"}),
        ("/messages", "error-200", {"type", "error"}),
        ("/chat/completions", "status=429", {"error"}),
    ],
)
def test_failures_in_each_dialect(
    shared: Client, path: str, directive: str, shape: set[str]
) -> None:
    """A failure on request has the shape of the API that was asked."""
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
    reply: httpx.Response = shared.send(path, directive=directive, **asked)
    assert set(reply.json()) == shape
