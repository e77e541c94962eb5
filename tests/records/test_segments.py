"""A segment is read piece by piece, and loses nothing by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.records import segments
from ai_gateway.records.segments import Segment


def adopted(folder: Path, data: bytes) -> Segment:
    """A dead process's segment with ``data`` in it."""
    path = folder / f"{segments.new_name(0.0)}{segments.SUFFIX}"
    path.write_bytes(data)
    found = segments.adopt(path)
    assert found is not None
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30)), st.integers(1, 40))
def test_pieces_end_where_lines_do(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int
) -> None:
    """All but the last, which may be torn; a line that is longer than a piece stays whole."""
    data = b"\n".join(lines)
    segment = adopted(tmp_path_factory.mktemp("wal"), data)
    pieces = list(segment.pieces(size))
    segment.remove()
    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])
    longest = max(map(len, lines), default=0) + 1
    assert max(map(len, pieces), default=0) <= max(size, 2 * longest)


def test_what_was_not_written_whole_is_in_no_piece(tmp_path: Path) -> None:
    """Of a living process's segment only what is known to be whole lines counts."""
    segment = segments.create(tmp_path, 0.0)
    segment.append(b"one\n", 1, lambda descriptor, data: descriptor and len(data))
    segment.path.write_bytes(b"one\nha")
    assert list(segment.pieces()) == [b"one\n"]
    segment.remove()


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line), max_size=5), st.binary())
def test_a_line_alone_is_what_it_is_among_others(noise: list[bytes], body: bytes) -> None:
    """Its table and body are found, or it is damaged, in the same way."""
    body = body.replace(b"\n", b"")
    line = segments.frame("weights", body)
    found = segments.split(b"".join([*(each + b"\n" for each in noise), line]))
    assert segments.unframe(line[:-1]) == ("weights", body)
    assert {table: list(map(bytes, each)) for table, each in found.bodies.items()} == {
        b"weights": [body]
    }
    assert (found.damaged, found.torn) == (noise, False)
    assert [segments.unframe(each) for each in noise] == [None] * len(noise)
