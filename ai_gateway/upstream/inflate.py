"""Content codings, undone while the bytes come in and within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError

#: zlib's window sizes: with a gzip header, with a zlib header or none (``deflate`` means either).
_GZIP, _ZLIB, _RAW = 31, 15, -15
_MAGIC = 31  # the first byte of a gzip (RFC 1952, 2.3.1)
_METHOD = 8  # zlib's only one
_CODINGS = 2  # more on top of each other are no honest answer
_PIECE = 65536  # bytes that are unpacked at a time, however little they were packed into

_DECODABLE = frozenset({"gzip", "x-gzip", "deflate"})


def plain(
    chunks: Iterable[bytes], headers: Mapping[str, str], who: str, most: int
) -> Iterator[bytes]:
    """``chunks`` without the codings in ``headers``; at most ``most`` bytes before and after.

    Raises UpstreamError for more, for another coding (none was asked for), and for a broken one.
    """
    chunks = bounded(chunks, who, most)
    applied = _codings(headers)
    for coding in reversed(applied):
        if coding not in _DECODABLE or len(applied) > _CODINGS:
            raise UpstreamError(f"{who} answered in a coding that was not asked for.")
        chunks = bounded(_inflated(chunks, coding, who), who, most)
    return iter(chunks)


def bounded(chunks: Iterable[bytes], who: str, most: int) -> Iterator[bytes]:
    """``chunks``; raises UpstreamError when they are more than ``most`` bytes."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise UpstreamError(f"{who} answered with more than {most} bytes.")
        yield chunk


def _codings(headers: Mapping[str, str]) -> list[str]:
    """The content codings that a body was put through, in their order."""
    named = headers.get("content-encoding", "").lower().split(",")
    return [coding for part in named if (coding := part.strip()) not in ("", "identity")]


def _inflated(chunks: Iterable[bytes], coding: str, who: str) -> Iterator[bytes]:
    try:
        yield from _unpacked(_begun(chunks), coding)
    except zlib.error:
        raise UpstreamError(f"{who} sent a broken {coding} body.") from None


def _begun(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks``, the first of which holds the two bytes that tell zlib's header from none."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) > 1:
            yield held
            held = b""
    if held:
        yield held


def _unpacked(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """What ``chunks`` hold; each flush of some servers is a gzip of its own."""
    unpacker = None
    for chunk in chunks:
        left = chunk
        while left and (unpacker is None or not unpacker.eof or left[0] == _MAGIC):
            if unpacker is None or unpacker.eof:
                unpacker = zlib.decompressobj(_window(left, coding))
            yield from _pieces(unpacker, left)
            left = unpacker.unused_data
    if unpacker is not None and not unpacker.eof:
        raise zlib.error("the end is missing")


def _pieces(unpacker: Any, left: bytes) -> Iterator[bytes]:
    piece = b""
    # A full piece may leave something inside the unpacker, although nothing is left to feed.
    while (left or len(piece) == _PIECE) and not unpacker.eof:
        piece = unpacker.decompress(left, _PIECE)
        if piece:
            yield piece
        left = unpacker.unconsumed_tail


def _window(start: bytes, coding: str) -> int:
    if coding != "deflate":
        return _GZIP
    # RFC 1950, 2.2: the method, and both bytes together a multiple of 31.
    headed = start[0] & 15 == _METHOD and int.from_bytes(start[:2], "big") % 31 == 0
    return _ZLIB if headed else _RAW
