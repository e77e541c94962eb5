"""Streams on the wire, of answers that are made up."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ai_gateway.answer.call import Answer
from ai_gateway.errors import GatewayError, UpstreamError
from ai_gateway.surfaces.sse import EventStream, NamedEventStream, ResponsesStream

CREATED = {"type": "response.created", "sequence_number": 0}
FAILED = {"type": "response.failed", "sequence_number": 1}


class Chunks:
    """Events, then an error if there is one."""

    def __init__(self, events: list[dict[str, Any]], error: GatewayError | None = None) -> None:
        self._events = events
        self._error = error
        self.closed = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._events
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed = True


def told(chunks: Chunks) -> list[tuple[str, int]]:
    """Type and number of each event."""
    wire = b"".join(ResponsesStream(Answer("m", chunks=chunks))).decode()
    events = [json.loads(part.split("data: ")[1]) for part in wire.split("\n\n") if part]
    return [(event["type"], event["sequence_number"]) for event in events]


def test_a_response_that_fails_tells_why_first() -> None:
    """OpenAI's order: the error, then the response as it stands."""
    found = told(Chunks([CREATED, FAILED], UpstreamError("It broke.")))
    assert found == [("response.created", 0), ("error", 1), ("response.failed", 2)]


def test_a_response_that_fails_before_it_began_has_the_error_alone() -> None:
    """There is no response to show."""
    assert told(Chunks([], UpstreamError("It broke."))) == [("error", 0)]


def test_a_failure_that_the_model_tells_of_is_passed_on() -> None:
    """It is the end of that stream, and no error of the gateway's."""
    assert told(Chunks([CREATED, FAILED])) == [("response.created", 0), ("response.failed", 1)]


def test_an_answer_in_one_piece_is_no_stream() -> None:
    """A surface that takes one for the other is wrong."""
    with pytest.raises(TypeError, match="not streamed"):
        EventStream(Answer("m"))


def test_a_stream_that_nobody_reads_is_let_go() -> None:
    """Its upstream is closed."""
    chunks = Chunks([])
    EventStream(Answer("m", chunks=chunks)).close()
    assert chunks.closed


@pytest.mark.parametrize("given", [{}, {"type": None}, {"type": 1}, {"type": "a\ndata: b"}])
@pytest.mark.parametrize("stream", [NamedEventStream, ResponsesStream])
def test_an_event_without_a_usable_type_has_no_name(stream, given) -> None:
    """It is passed on as data alone: it neither ends the stream nor brings fields of its own."""
    wire = b"".join(stream(Answer("m", chunks=Chunks([given, CREATED]))))
    first, second, end = wire.split(b"\n\n")
    assert json.loads(first.removeprefix(b"data: ")) == given
    assert second.startswith(b"event: response.created\ndata: ")
    assert end == b""
