"""Server-sent events out of bytes as they come, by the WHATWG's rules (HTML, 9.2.6).

What ``EventSource`` alone needs (``id``, ``retry``) is passed over. Each byte is looked at a fixed
number of times, wherever the reads cut the stream.
"""

from __future__ import annotations

from ai_gateway.errors import UpstreamError

#: An event's name, if it has one, and its data: the lines as they came, joined.
Event = tuple[str | None, bytes]

MOST = 8_000_000  # bytes of one event

_BOM = b"\xef\xbb\xbf"


class Parser:
    """Holds what is not yet a whole event; ``who`` begins the sentence of its errors."""

    __slots__ = ("_after_cr", "_data", "_first", "_name", "_open", "_partial", "_size", "_who")

    def __init__(self, who: str) -> None:
        self._who = who
        #: The pieces of a line that has not ended, and their bytes.
        self._partial: list[bytes] = []
        self._open = 0
        self._data: list[bytes] = []
        self._name = b""
        #: Bytes of all that is held; 0 between two events.
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes; raises UpstreamError for one beyond the bound."""
        if not self._size and _is_one(chunk):
            self._after_cr = self._first = False
            return [(None, chunk[6:-2])]
        if self._after_cr and chunk.startswith(b"\n"):  # the second half of a line's end
            chunk = chunk[1:]
            self._after_cr = False
        return self._lines(chunk) if chunk else []

    def end(self) -> list[Event]:
        """The event that was under way at the end, which some leave without its blank line."""
        return self.feed(b"\n\n")

    def _lines(self, chunk: bytes) -> list[Event]:
        lines = chunk.splitlines()  # of bytes: at LF, CR and CRLF alone
        self._after_cr = chunk.endswith(b"\r")
        rest = b"" if self._after_cr or chunk.endswith(b"\n") else lines.pop()
        if lines:
            self._join(lines)
        events = self._read(lines)
        if rest:
            self._partial.append(rest)
            self._open += len(rest)
            self._size += len(rest)
        if self._size > MOST:
            raise UpstreamError(f"{self._who} sent an event of more than {MOST} bytes.")
        return events

    def _join(self, lines: list[bytes]) -> None:
        """Complete the line that was open."""
        if self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial.clear()
            self._size -= self._open
            self._open = 0
        if self._first:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)

    def _read(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if line.startswith(b"data: "):
                self._data.append(line[6:])
                self._size += len(line)
            elif not line:
                if self._data:
                    events.append((_name(self._name), b"\n".join(self._data)))
                    self._data.clear()
                self._name, self._size = b"", 0
            elif not line.startswith(b":"):
                self._field(line)
        return events

    def _field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(line)
        elif field == b"event":
            self._name = value
            self._size += len(line)


def _is_one(chunk: bytes) -> bool:
    """Whether ``chunk`` is one event of one line, as most reads bring it."""
    return (
        chunk.startswith(b"data: ")
        and chunk.find(b"\n") == len(chunk) - 2
        and chunk.endswith(b"\n")
        and b"\r" not in chunk
    )


def _name(name: bytes) -> str | None:
    return name.decode("utf-8", "replace") or None
