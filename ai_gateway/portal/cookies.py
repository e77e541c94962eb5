"""Cookies: one that is read is of our own form or is none; one that is set is told all it needs.

With https the name begins with ``__Host-``, so that a browser takes it only from this host, for
all its paths and over https (RFC 6265bis, 4.1.3.2): no neighbour can put one in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

#: Characters of a Cookie header that is looked at, whatever else the host's pages have set.
_LONGEST: Final = 16_384
_BITS: Final = 256
_DIGITS: Final = _BITS // 4
_HEX: Final = frozenset("0123456789abcdef")


def secret(random: Random) -> str:
    """What nobody can guess: 256 bits as 64 hex digits."""
    return f"{random.getrandbits(_BITS):0{_DIGITS}x}"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of this gateway, whose value is a ``secret``."""

    label: str
    #: Whether the browser reaches the gateway over https.
    secure: bool

    @property
    def name(self) -> str:
        """What the browser calls it."""
        return f"__Host-{self.label}" if self.secure else self.label

    def read(self, headers: Mapping[str, str]) -> str | None:
        """Its value; None where it is missing, of another form, or stands there twice."""
        header = headers.get("cookie", "")
        if len(header) > _LONGEST:
            return None
        pairs = (pair.strip().partition("=") for pair in header.split(";"))
        found = [value for name, _, value in pairs if name == self.name]
        if len(found) != 1 or len(found[0]) != _DIGITS or not _HEX.issuperset(found[0]):
            return None
        return found[0]

    def keep(self, value: str, seconds: float) -> dict[str, str]:
        """The header that has a browser keep ``value`` for so long."""
        return {"set-cookie": f"{self.name}={value}; Max-Age={int(seconds)}; {self._rules}"}

    def drop(self) -> dict[str, str]:
        """The header that has a browser forget it."""
        return self.keep("", 0)

    @property
    def _rules(self) -> str:
        rules = "Path=/; HttpOnly; SameSite=Lax"
        return f"{rules}; Secure" if self.secure else rules
