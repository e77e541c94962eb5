"""Headers that every reply has: what a browser must not make of it.

They go out unless a reply has one of that name of its own. The gateway's replies are data for
programs, so a browser is told to run nothing of them, to frame, guess and keep nothing.
"""

from __future__ import annotations

from typing import Final

Headers = list[tuple[bytes, bytes]]

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cache-control", b"no-store"),
)
#: Of the host that a browser named, on every port; it counts over TLS alone (RFC 6797).
_OVER_TLS: Final = (b"strict-transport-security", b"max-age=31536000")


class Safety:
    """The headers of one server's replies."""

    __slots__ = ("_names", "headers")

    def __init__(self, *, tls: bool) -> None:
        self.headers = [*_ALWAYS, _OVER_TLS] if tls else [*_ALWAYS]
        self._names = frozenset(name for name, _ in self.headers)

    def added(self, headers: Headers) -> Headers:
        """``headers``, whose names are lower case, and those that they lack."""
        own = self._names.intersection([name for name, _ in headers])
        if not own:
            return headers + self.headers
        return headers + [header for header in self.headers if header[0] not in own]
