"""What is passed to a proxied target and back: which path, which headers.

A request carries the caller's secrets for the gateway, and must not carry them on; an answer
carries the target's cookies, which are the gateway's own as far as a browser can tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import httpx

from ai_gateway.errors import BadRequest
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.manifest.model import Timeout

#: Which pages may read an answer is the gateway's to say, not the target's.
_CROSS_ORIGIN = "access-control-"
#: What a browser would take for the gateway's word: of its origin, host and pages, where people
#: may be signed in. The server says what it has to say of them.
_OF_THE_ORIGIN = frozenset(
    {
        "alt-svc",
        "clear-site-data",
        "content-security-policy",
        "content-security-policy-report-only",
        "nel",
        "referrer-policy",
        "report-to",
        "reporting-endpoints",
        "service-worker-allowed",
        "strict-transport-security",
        "x-content-type-options",
        "x-frame-options",
    }
)
#: Of one hop only (RFC 9110, 7.6.1), with the old ones and what this hop writes itself.
_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: The caller's secrets and what says who he is; and the codings, since this hop reads the body.
_CALLERS = frozenset(
    {
        "accept-encoding",
        "api-key",
        "authorization",
        "baggage",  # W3C: anything at all, meant for the caller's own services
        "cookie",
        "cookie2",
        "forwarded",
        "remote-user",
        "x-api-key",
        "x-real-ip",
    }
)
_IDEMPOTENT = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT"})  # RFC 9110, 9.2.2
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5
_METHOD = re.compile(r"[A-Z]{1,20}")
_SAFE = "/%:@!$&'()*+,;=~-._"
_DECODINGS = 5  # a path that still changes after so many is somebody's trick


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A request for a fixed target.

    ``path`` is appended to the target's own path and ``query`` (as it came, without ``?``) kept;
    ``headers`` are the caller's, cleaned here. ``name`` is what errors call the target, and
    ``allowed_hosts`` the names and networks that it may have (``None``: any but link-local).
    """

    name: str
    target: str
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    credentials: Credentials = field(default_factory=Credentials)
    allowed_hosts: tuple[str, ...] | None = None
    timeout: Timeout = field(default_factory=Timeout)
    max_connections: int = 1000

    @property
    def repeatable(self) -> bool:
        """Whether the target may get it twice."""
        return self.method in _IDEMPOTENT


def url(request: ProxyRequest, target: httpx.URL) -> httpx.URL:
    """Where ``request`` goes; raises BadRequest for a path that leaves the target's own."""
    if not _METHOD.fullmatch(request.method) or request.method in ("CONNECT", "TRACE"):
        raise BadRequest(f"The method {request.method[:20]!r} is not passed on.")
    own = target.raw_path.split(b"?")[0].rstrip(b"/")
    below = path(request.path).encode("ascii")
    query = quote(request.query, safe=_SAFE + "?").encode("ascii")
    return target.copy_with(raw_path=(own + below or b"/") + (b"?" + query if query else b""))


def path(given: str) -> str:
    """``given`` below ``/`` with its dot segments resolved (RFC 3986, 5.2.4), percent-encoded.

    A dot segment behind an encoded slash, and one that climbs above the start, is a BadRequest:
    the target may decode once more than this hop does.
    """
    kept: list[str] = []
    for segment in given.removeprefix("/").split("/") if given else ():
        plain = _plain(segment)
        if plain == "..":
            if not kept:
                raise BadRequest("The path leaves the target.")
            kept.pop()
        elif any(piece.split(";")[0] == ".." for piece in re.split(r"[/\\]", plain)):
            raise BadRequest("The path hides a dot segment.")
        elif plain != ".":
            kept.append(quote(segment, safe=_SAFE))
    return "/" + "/".join(kept) if given else ""


def _plain(segment: str) -> str:
    for _ in range(_DECODINGS):
        if (plain := unquote(segment)) == segment:
            break
        segment = plain
    else:
        raise BadRequest("The path is encoded too many times.")
    if not segment.isprintable():
        raise BadRequest("The path holds a control character.")
    return segment


def outgoing(
    headers: Mapping[str, str], key_header: str | None = None
) -> list[tuple[bytes, bytes]]:
    """The caller's headers that the target may see; raises BadRequest for one that is none.

    ``key_header`` carries the gateway's own credentials, and nobody else's.
    """
    dropped = _HOP | _CALLERS | _named(headers) | {key_header or "authorization"}
    kept = []
    for name, value in headers.items():
        lower = name.lower().replace("_", "-")  # some servers take one for the other
        if lower in dropped or lower.startswith("x-forwarded-"):
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadRequest(f"The header {name[:60]!r} cannot be passed on.")
        kept.append((name.lower().encode("ascii"), value.strip().encode("latin-1")))
    return kept


def incoming(headers: Mapping[str, str]) -> dict[str, str]:
    """The target's headers that the caller may see; the body is decoded by now."""
    dropped = _HOP | _named(headers) | _OF_THE_ORIGIN
    dropped |= {"content-encoding", "set-cookie", "set-cookie2"}
    return {
        name: value
        for name, value in headers.items()
        if name not in dropped and not name.startswith(_CROSS_ORIGIN)
    }


def _named(headers: Mapping[str, str]) -> frozenset[str]:
    """The headers that ``Connection`` declares to be of this hop only."""
    return frozenset(
        option.strip().lower().replace("_", "-")
        for name, value in headers.items()
        if name.lower() == "connection"
        for option in value.split(",")
    )
