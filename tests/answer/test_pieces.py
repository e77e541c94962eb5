"""Bytes that pass are measured, and their end is told once."""

import hashlib

import pytest

from ai_gateway.answer.pieces import Pieces
from ai_gateway.errors import CallerLeft, UpstreamError


class Sound:
    """Some bytes, and what breaks after them."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self._pieces = pieces
        self._error = error
        self.closed = 0

    def __iter__(self):
        """The bytes, then the error."""
        yield from self._pieces
        if self._error:
            raise self._error

    def close(self) -> None:
        """Count it."""
        self.closed += 1


def test_a_whole_answer_is_told_once() -> None:
    """Size and digest are of all bytes; closing afterwards tells nothing more."""
    told: list[tuple] = []
    source = Sound(b"ab", b"c")
    pieces = Pieces(source, lambda *found: told.append(found))
    assert list(pieces) == [b"ab", b"c"]
    pieces.close()
    assert told == [(3, f"sha256:{hashlib.sha256(b'abc').hexdigest()}", None)]
    assert source.closed == 1


def test_a_broken_answer_is_raised_and_told() -> None:
    """What came until then counts; the error is the upstream's own."""
    told: list[tuple] = []
    error = UpstreamError("cut")
    pieces = Pieces(Sound(b"ab", error=error), lambda *found: told.append(found))
    with pytest.raises(UpstreamError, match="cut"):
        list(pieces)
    assert [(size, found) for size, _, found in told] == [(2, error)]


def test_who_closes_early_has_left() -> None:
    """Nothing was read, and the record says so."""
    told: list[tuple] = []
    Pieces(Sound(b"ab"), lambda *found: told.append(found)).close()
    ((size, _, error),) = told
    assert (size, type(error)) == (0, CallerLeft)
