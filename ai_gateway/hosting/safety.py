"""Headers that every reply has: what a browser must not make of it.

They go out unless a reply has one of that name of its own. The gateway's replies are data for
programs, so a browser is told to run nothing of them, to frame, guess and keep nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ALWAYS: Final = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("cache-control", "no-store"),
)
#: Of the host that a browser named, on every port; it counts over TLS alone (RFC 6797).
_OVER_TLS: Final = ("strict-transport-security", "max-age=31536000")


class Safety:
    """The headers of one server's replies."""

    __slots__ = ("_all", "_lines")

    def __init__(self, *, tls: bool) -> None:
        headers = (*_ALWAYS, _OVER_TLS) if tls else _ALWAYS
        self._lines = {name: f"{name}: {value}\r\n".encode() for name, value in headers}
        self._all = b"".join(self._lines.values())

    def missing(self, names: Mapping[str, object]) -> bytes:
        """The lines of a reply's headers that are not among ``names``, which are lower case."""
        if self._lines.keys().isdisjoint(names):
            return self._all
        return b"".join(line for name, line in self._lines.items() if name not in names)
