"""Pages that are files: sent as they are, with what a browser may do with them.

Nothing of a request or of the bundle is written into a file, and its scripts are its own
(``script-src 'self'``, Content Security Policy level 3, https://www.w3.org/TR/CSP3/), and a browser
makes neither markup nor script of a text (https://www.w3.org/TR/trusted-types/), so that nothing
that a page shows can run. No asset comes from elsewhere, and no other site may frame it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ai_gateway.contract import Reply
from ai_gateway.errors import NotFound

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    # Not no-referrer: with that some requests of the page's own have the origin null (Fetch, 3.2).
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
}
INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the files that it names; no other file of its folder is ever sent."""

    folder: Path
    names: frozenset[str]

    def reply(self, name: str | None = None) -> Reply:
        """The file of that name, the page itself for None; raises NotFound for another."""
        if name is not None and name not in self.names:
            raise NotFound(f"There is no file {name[:64]!r}.")
        path = self.folder / (INDEX if name is None else name)
        return Reply(_content(path), headers={**HEADERS, "content-type": _TYPES[path.suffix]})


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()
