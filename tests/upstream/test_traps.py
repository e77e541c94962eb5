"""What trips gateways up on the wire, one case each, as the official SDK sees it come out."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from tests.upstream.fake import DONE, FakeUpstream, chunk, event, head, reply, then_close
from tests.upstream.providers import NULL, PIECES, SAID, TOLD, USAGE, chat, streamed
from tests.upstream.providers import chunk as said

pytestmark = pytest.mark.wire

ROUTES = """
  - {path: /v1/chat/completions, function: "functions.v1.chat_completions:handle", auth: api-key}
"""
ROLE = said(role="assistant", content="")
FINISH = said("stop")
EVENTS = streamed(ROLE)
STREAM = b"".join(EVENTS)


def sent(*pieces: bytes, **headers: str) -> bytes:
    """Each piece as one chunk of a whole answer."""
    return head(**headers) + b"".join(map(chunk, pieces)) + chunk(b"")


def cut(*pieces: bytes) -> Any:
    """The same without its end, and the connection closed."""
    return then_close(head() + b"".join(map(chunk, pieces)))


def pieces(size: int, data: bytes = STREAM) -> list[bytes]:
    """``data`` in pieces of ``size`` bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def between(*extra: bytes) -> bytes:
    """The stream with ``extra`` before each event."""
    return sent(*(piece for found in EVENTS for piece in (*extra, found)))


def flushed(packer: Any) -> list[bytes]:
    """Each event packed and flushed by itself."""
    packed = [packer.compress(found) + packer.flush(zlib.Z_SYNC_FLUSH) for found in EVENTS]
    return [*packed, packer.flush()]


def without(field: str) -> bytes:
    """The stream, of whose chunks none has ``field``."""
    events = [json.loads(found[6:]) for found in EVENTS[:-1]]
    return sent(*(event({k: v for k, v in e.items() if k != field}) for e in events), DONE)


def worded(*end: bytes) -> list[bytes]:
    """The words, and then ``end``."""
    return [*(said(content=piece) for piece in PIECES), *end]


#: Streams that are whole, however odd they look.
WHOLE: dict[str, Any] = {
    "one read": sent(STREAM),
    "two events a read": sent(EVENTS[0] + EVENTS[1], *EVENTS[2:]),
    "byte by byte": sent(*pieces(1)),
    "cut inside letters of several bytes": sent(*pieces(3)),
    "cut before the blank line": sent(*(p for e in EVENTS for p in (e[:-1], e[-1:]))),
    "CRLF": sent(STREAM.replace(b"\n", b"\r\n")),
    "CRLF cut between its halves": sent(
        *(p for e in EVENTS for p in (e.replace(b"\n", b"\r\n")[:-1], b"\n"))
    ),
    "bare CR": sent(STREAM.replace(b"\n", b"\r")),
    "a byte order mark": sent(b"\xef\xbb\xbf" + STREAM),
    "no space after the colon": sent(STREAM.replace(b"data: ", b"data:")),
    "comments": between(b": ping\n\n"),
    "comments with a wait": between(b": OPENROUTER PROCESSING\n\n", b":\n\n"),
    "a comment inside an event": sent(STREAM.replace(b"data: {", b": x\ndata: {")),
    "empty events": between(b"data:\n\n", b"data: \n\n", b"\n\n"),
    "id and retry": between(b"id: 7\nretry: 10\n\n"),
    "named events": sent(STREAM.replace(b"data: {", b"event: chunk\ndata: {")),
    "usage with empty choices": sent(STREAM),
    "usage beside the last choice": sent(*worded(said("stop", more=TOLD), DONE)),
    "usage in every chunk": sent(
        *(said(content=piece, more={"usage": USAGE}) for piece in PIECES), FINISH, DONE
    ),
    "null usage in every chunk": sent(
        *(said(content=piece, more=NULL) for piece in PIECES),
        FINISH,
        said(choices=[], more=TOLD),
        DONE,
    ),
    "usage after the end in a field of its own": sent(
        *worded(said("stop", more={"x_groq": {"id": "r", "usage": USAGE}}), DONE)
    ),
    "empty choices first": sent(said(choices=[], more={"prompt_filter_results": []}), STREAM),
    "no choices at all": sent(said(choices=None, more={"choices": None}), STREAM),
    "a choice without a delta": sent(
        said(choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]), STREAM
    ),
    "a null delta": sent(said(choices=[{"index": 0, "delta": None}]), STREAM),
    "a null content": sent(said(content=None), STREAM),
    "reasoning in both names": sent(said(reasoning="a", reasoning_content="a"), STREAM),
    "no id": without("id"),
    "no object": without("object"),
    "no [DONE]": sent(*EVENTS[:-1]),
    "no [DONE] and no blank line": sent(*EVENTS[:-2], FINISH[:-2]),
    "no [DONE] and closed": then_close(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(EVENTS[:-1])
    ),
    "[DONE] without a blank line": sent(*EVENTS[:-1], b"data: [DONE]"),
    "[DONE] twice": sent(STREAM, DONE),
    "more after [DONE]": sent(STREAM, b": bye\n\n"),
    "cut after [DONE]": cut(STREAM),
    "error: null": sent(*worded(said("stop", more={"error": None}), DONE)),
    "content type of text": sent(STREAM, content_type="text/plain"),
    "gzip": sent(gzip.compress(STREAM), content_encoding="gzip"),
    "gzip event by event": sent(*flushed(zlib.compressobj(wbits=31)), content_encoding="gzip"),
    "gzip members": sent(*map(gzip.compress, EVENTS), content_encoding="gzip"),
    "gzip byte by byte": sent(*pieces(1, gzip.compress(STREAM)), content_encoding="gzip"),
    "deflate": sent(*flushed(zlib.compressobj()), content_encoding="deflate"),
    "with a length": reply(STREAM, 200, None, "text/event-stream"),
    "an early hint before": b"HTTP/1.1 103 Early Hints\r\n\r\n" + sent(STREAM),
    "connection: close": then_close(sent(STREAM, connection="close")),
    "chunk extensions and trailers": head()
    + b"%x;a=b\r\n%s\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(STREAM), STREAM),
}

_SECOND = event({"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": None}]})
LATE = {"message": "m.", "type": "server_error", "param": None, "code": 500}
#: Streams that fail after their first words, and what their caller is told.
BROKEN: dict[str, tuple[Any, str]] = {
    "a late error": (sent(*worded(event({"error": LATE}), DONE)), "m."),
    "a late error, flat": (sent(*worded(event({"object": "error", **LATE}))), "m."),
    "a late error as text": (sent(*worded(event({"error": "m."}))), "m."),
    "a late error in a list": (sent(*worded(event([{"error": LATE}]))), "m."),
    "a late error, named": (sent(*worded(event({"message": "m."}, "error"))), "m."),
    "a late error beside choices": (
        sent(*worded(said("error", more={"error": {"code": 502, "message": "m."}}))),
        "m.",
    ),
    "a late 429": (sent(*worded(event({"error": {"code": 429, "message": "m."}}))), "m."),
    "no JSON": (sent(*worded(b"data: oops\n\n")), "no JSON object"),
    "a page": (sent(*worded(b"<html>\n\ndata: <html>\n\n")), "no JSON object"),
    "cut between events": (cut(*worded()), "ended early"),
    "cut inside an event": (cut(*worded(FINISH[:30])), "ended early"),
    "cut inside a letter": (cut(said(content="Ein "), PIECES[1].encode()[:2]), "ended early"),
    "ended without a finish": (sent(*worded()), "ended early"),
    "ended without a word for its finish": (sent(*worded(said(""))), "ended early"),
    "ended with one of two choices": (sent(*worded(_SECOND, FINISH)), "ended early"),
    "ended inside an event": (sent(*worded(FINISH[:30])), "ended early"),
    "[DONE] without a finish": (sent(*worded(DONE)), "ended early"),
    "cut gzip": (
        sent(gzip.compress(STREAM)[:-30], content_encoding="gzip"),
        "broken gzip body",
    ),
}
#: Answers that fail before a stream's first word, and the status that their caller gets.
REFUSED: dict[str, tuple[Any, int]] = {
    "an error first": (sent(event({"error": {**LATE, "code": 429}}), DONE), 429),
    "an error first, under its name": (sent(event({"error": {"type": "overloaded_error"}})), 529),
    "an error in one piece": (reply({"error": {**LATE, "code": 400}}), 400),
    "an answer in one piece": (reply(chat()), 502),
    "a page": (reply(b"<html>", 200, None, "text/html"), 502),
    "nothing": (sent(), 502),
    "[DONE] alone": (sent(DONE), 502),
    "comments alone": (sent(b": ping\n\n" * 3), 502),
    "a role and an error": (sent(ROLE, event({"error": LATE})), 500),
    "a role and a cut": (cut(ROLE), 502),
    "a role and [DONE]": (sent(ROLE, DONE), 502),
    "a role, usage and an end": (sent(ROLE, said(choices=[], more=TOLD)), 502),
    "a cut head": (then_close(b"HTTP/1.1 200 OK\r\ncont"), 502),
    "no HTTP": (then_close(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), 502),
    "an unknown coding": (sent(STREAM, content_encoding="br"), 502),
}
#: Whole answers, their text or the status of their failure.
ANSWERS: dict[str, tuple[bytes, str | int]] = {
    "plain": (reply(chat()), SAID),
    "gzip": (
        reply(gzip.compress(json.dumps(chat()).encode()), headers={"content-encoding": "gzip"}),
        SAID,
    ),
    "ends in a space": (reply(chat("unsafe ")), "unsafe "),
    "reasoning in both names": (reply(chat(reasoning="a", reasoning_content="a")), SAID),
    "null tool calls": (reply(chat(tool_calls=None)), SAID),
    "no usage": (reply(chat(usage=None)), SAID),
    "error: null": (reply({**chat(), "error": None}), SAID),
    "no content type": (reply(chat(), content_type=""), SAID),
    "chunked byte by byte": (
        sent(*pieces(1, json.dumps(chat()).encode()), content_type="application/json"),
        SAID,
    ),
    "a choice without a message": (
        reply({**chat(), "choices": [{"index": 0, "finish_reason": "content_filter"}]}),
        502,
    ),
    "no choices": (reply({**chat(), "choices": []}), 502),
    "an error under 200": (reply({"error": {**LATE, "code": "429"}}), 429),
    "an error under 200 with choices": (reply({**chat(), "error": {**LATE, "code": 400}}), 400),
    "accepted for later": (reply(b"{}", 202, {"nvcf-status": "pending-evaluation"}), 502),
    "a page": (reply(b"<html>", 200, None, "text/html"), 502),
    "nothing": (reply(b"", 200), 502),
    "a list": (reply(b"[]"), 502),
    "half an emoji": (reply(json.dumps(chat("a\ud83d")).encode()), "a\ufffd"),
    "NaN": (reply(b'{"choices": NaN}'), 502),
}


@pytest.fixture
def ask(start: Any, upstream: FakeUpstream) -> Callable[..., Any]:
    """Ask a gateway before the scripted upstream, as OpenAI's own SDK does."""
    model = f'  here: {{url: "{upstream.url}", model_id: m}}\n'
    gateway = start(ROUTES, models=model)
    way = httpx2.Client(transport=httpx2.WSGITransport(app=gateway.client.application))
    client = openai.OpenAI(
        api_key=gateway.key, base_url="http://gateway/v1", max_retries=0, http_client=way
    )
    messages = [{"role": "user", "content": "Wo?"}]

    def call(*, stream: bool) -> Any:
        return client.chat.completions.create(model="here", messages=messages, stream=stream)

    return call


def text(chunks: Any) -> str:
    """What a stream says."""
    return "".join(
        choice.delta.content or ""
        for found in chunks
        for choice in found.choices or ()
        if choice.delta
    )


@pytest.mark.parametrize("name", WHOLE)
def test_an_odd_stream_is_whole(ask: Any, upstream: FakeUpstream, name: str) -> None:
    """Every word comes, once and in order, and the SDK sees an orderly end."""
    upstream.script(WHOLE[name])
    assert text(ask(stream=True)) == SAID


def test_a_letter_in_two_events_is_one(ask: Any, upstream: FakeUpstream) -> None:
    """A server that counts in UTF-16 may cut an emoji; the caller gets the whole of it."""
    halves = [
        json.dumps({"choices": [{"index": 0, "delta": {"content": x}}]}) for x in "\ud83d\ude00"
    ]
    events = [f"data: {half}\n\n".encode() for half in halves]
    upstream.script(sent(ROLE, *events, *EVENTS[1:]))
    assert text(ask(stream=True)) == f"\U0001f600{SAID}"


@pytest.mark.parametrize("role", [ROLE, b""])
def test_a_stream_that_says_nothing_but_its_end_is_whole(
    ask: Any, upstream: FakeUpstream, role: bytes
) -> None:
    """An answer may be empty: a reason why it ended is one, and the usage comes after it."""
    upstream.script(sent(role + FINISH, said(choices=[], more=TOLD), DONE))
    chunks = list(ask(stream=True))
    assert (text(chunks), chunks[-1].choices[0].finish_reason) == ("", "stop")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_an_exception(ask: Any, upstream: FakeUpstream, name: str) -> None:
    """What breaks after the first word raises in the SDK; it is never a silent end."""
    data, words = BROKEN[name]
    upstream.script(data)
    with pytest.raises(openai.APIError, match=words):
        list(ask(stream=True))


@pytest.mark.parametrize("name", REFUSED)
def test_a_failure_before_the_first_word_is_a_status(
    ask: Any, upstream: FakeUpstream, name: str
) -> None:
    """What fails before the first word is an error of its own status, not a stream."""
    data, status = REFUSED[name]
    upstream.script(data)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(stream=True)
    assert caught.value.status_code == status


@pytest.mark.parametrize("name", ANSWERS)
def test_an_odd_answer(ask: Any, upstream: FakeUpstream, name: str) -> None:
    """An answer is read whatever stands beside it; what is none is one clear error."""
    data, becomes = ANSWERS[name]
    upstream.script(data)
    if isinstance(becomes, str):
        assert ask(stream=False).choices[0].message.content == becomes
        return
    with pytest.raises(openai.APIStatusError) as caught:
        ask(stream=False)
    assert caught.value.status_code == becomes
