"""Events are the same wherever the reads cut the bytes, and no bytes break the parser."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_gateway.errors import UpstreamError
from ai_gateway.upstream import sse

pytestmark = pytest.mark.wire

PIECES = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"data",
        b"event: ping",
        b"event:",
        b": ping",
        b"id: 7",
        b"retry: 3",
        b'{"a": "\xc3\xa9"}',
        b"[DONE]",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\xef\xbb\xbf",
        b" ",
        b"\x00",
    ]
)
BYTES = st.lists(PIECES | st.binary(max_size=4), max_size=40).map(b"".join)


def events(*reads: bytes) -> list[sse.Event]:
    """What a stream that came in ``reads`` holds."""
    parser = sse.Parser("The model m")
    found = [event for read in reads for event in parser.feed(read)]
    return found + parser.end()


def by_the_book(data: bytes) -> list[sse.Event]:
    """The specification's own steps, on the whole stream, with the end as a blank line."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    found, name, held = [], b"", []
    for line in [*lines, b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if held:
                found.append((name.decode("utf-8", "replace") or None, b"\n".join(held)))
            name, held = b"", []
        elif field == b"data":
            held.append(value)
        elif field == b"event":
            name = value
    return found


@given(BYTES, st.lists(st.integers(0, 200), max_size=8))
@example(b"\xef\xbb\xbfdata: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", list(range(40)))
@example(b"data: a\n\n", [])
@example(b"data: a\n\r\n", [])
@example(b"data: a\r\n\n", [9])
def test_any_cut_gives_the_same_events(data: bytes, cuts: list[int]) -> None:
    """However the bytes are cut into reads, the events are those of the specification."""
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reads = [data[a:b] for a, b in pairwise(ends)]
    assert events(*reads) == by_the_book(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"data: 1\n\n", [(None, b"1")]),
        (b"data:1\n\n", [(None, b"1")]),
        (b"data:  1\n\n", [(None, b" 1")]),
        (b"event: ping\ndata: 1\n\n", [("ping", b"1")]),
        (b"data: 1\nevent: ping\n\n", [("ping", b"1")]),
        (b"event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", [("b", b"1"), (None, b"2")]),
        (b"data: 1\ndata: 2\n\n", [(None, b"1\n2")]),
        (b": ping\n\n: ping\ndata: 1\n\n", [(None, b"1")]),
        (b"data\n\n", [(None, b"")]),
        (b"event: lonely\n\ndata: 1\n\n", [(None, b"1")]),
        (b"id: 1\nretry: 2\nunknown: 3\ndata: 1\n\n", [(None, b"1")]),
        (b"data: 1\n", [(None, b"1")]),
        (b"data: 1", [(None, b"1")]),
        (b"dat", []),
        (b"event: \xff\ndata: 1\n\n", [("\ufffd", b"1")]),
        (b"", []),
    ],
)
def test_rules(data: bytes, found: list[sse.Event]) -> None:
    """Fields, comments, names and ends are read as the specification says."""
    assert events(data) == found
    assert events(*(bytes([byte]) for byte in data)) == found


@pytest.mark.parametrize("unit", [b"x", b"data: 1\n", b"data:\n"])
def test_an_event_is_bounded(unit: bytes) -> None:
    """An event beyond the bound is an error, be it one line or many."""
    parser = sse.Parser("The model m")
    piece = b"data: " + unit * 10_000
    with pytest.raises(UpstreamError, match="The model m sent an event of more than 8000000 bytes"):
        list(map(parser.feed, [piece] * 2000))


def test_comments_have_no_bound() -> None:
    """Signs of life without end are no event that grows."""
    parser = sse.Parser("The model m")
    for _ in range(1000):
        assert parser.feed(b": still alive\n" * 1000) == []


@pytest.mark.parametrize("size", [1, 7])
def test_time_is_linear(size: int) -> None:
    """A long line in small reads costs no more a byte than a short one."""
    parser = sse.Parser("The model m")
    started = time.process_time()
    for _ in range(7_000_000 // 7 // size):
        parser.feed(b"x" * size)
    assert time.process_time() - started < 10
    assert parser.feed(b"\n\n") == []


def test_a_bom_counts_at_the_start_alone() -> None:
    """A byte order mark is passed over before the first line, and is data anywhere else."""
    mark: Any = b"\xef\xbb\xbf"
    assert events(mark + b"data: 1\n\n" + mark + b"data: 2\n\n") == [(None, b"1")]
    assert events(b"data: " + mark + b"\n\n") == [(None, mark)]
