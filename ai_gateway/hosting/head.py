"""A reply's head: looked at once, and put into bytes by the thread that makes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus

from ai_gateway.hosting.safety import Safety

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
#: How a reply is framed is the server's to say (PEP 3333).
_FRAMING = "transfer-encoding"


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers, as they go out."""

    status: int
    #: Each header with the end of its line.
    lines: bytes
    #: The bytes of the body, where a header declares them.
    length: int | None = None
    #: A header says that the connection ends with the reply.
    closing: bool = False
    #: Once the reply has begun, at most so many seconds pass in silence: then these bytes are sent.
    heartbeat: tuple[float, bytes] | None = None

    @classmethod
    def of(
        cls,
        status: int,
        headers: Sequence[tuple[str, str]],
        safety: Safety,
        heartbeat: tuple[float, bytes] | None = None,
    ) -> Head:
        """The head with ``headers`` and what else each reply has; ValueError for what is none."""
        values = "".join([value for _, value in headers])
        if not values.isprintable() and _CONTROL.search(values):
            raise ValueError("a header's value holds a control character")
        named = [(_name(name), value) for name, value in headers]
        own = dict(named)
        if len(own) < len(named):
            own = _joined(named)
        lines = "".join([f"{name}: {value}\r\n" for name, value in named])
        length = own.get("content-length")
        return cls(
            status,
            lines.encode("latin-1") + safety.missing(own),
            None if length is None else int(length),
            "close" in own.get("connection", "").lower(),
            heartbeat,
        )

    def sized(self, length: int) -> Head:
        """The same, which declares the body's length."""
        if self.length is not None:
            return self
        return replace(self, lines=self.lines + b"content-length: %d\r\n" % length, length=length)


def _joined(named: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers of which some come twice: what counts is all that they say (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in named:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


@lru_cache(maxsize=1000)
def _name(name: str) -> str:
    """A header's name in lower case; ValueError for what is none."""
    if not _NAME.fullmatch(name) or name.lower() == _FRAMING:
        raise ValueError(f"a reply cannot have a header {name!r}")
    return name.lower()


@lru_cache(maxsize=1000)
def status_line(status: int) -> bytes:
    """The first line of a reply."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()
