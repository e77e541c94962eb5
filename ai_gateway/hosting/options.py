"""What the server is started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ai_gateway.certificates import TlsFiles


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, and the bound of everything that a caller can make grow."""

    host: str = "127.0.0.1"
    #: 0 takes a free port; the URL given to ``ready`` names it.
    port: int = 8080
    #: Requests that can wait on upstreams at once: threads are made when needed and go when idle.
    threads: int = 2048
    #: Whole requests that wait for a thread; one more is a 503.
    queued: int = 1024
    #: Exact paths that are answered by threads of their own while all others are busy.
    light_paths: frozenset[str] = frozenset({"/ping", "/healthz", "/readyz", "/metrics"})
    #: Seconds from the end of the headers to the end of the body.
    body_seconds: float = 30.0
    #: Bytes by path, asked of each request since a reload may change it; the application checks
    #: the route's own limit once more.
    max_body: Callable[[str], int] = lambda _path: 10_000_000
    #: The name of the shape that callers of a path read errors in (``ai_gateway.problems``).
    shape: Callable[[str], str] = lambda _path: "openai"
    #: Seconds from a connection's start, or a request's first byte, to the end of its headers.
    header_seconds: float = 10.0
    max_header_bytes: int = 65_536
    max_headers: int = 200
    #: Seconds that a connection may stay without a request.
    keep_alive_seconds: int = 75
    #: Seconds that a caller may read nothing of what waits for it.
    stall_seconds: float = 60.0
    #: Seconds that requests in flight have to finish after SIGTERM.
    grace_seconds: float = 30.0
    backlog: int = 2048
    #: The certificate to be known by, and whose clients alone are let in; None is plain HTTP.
    tls: TlsFiles | None = None
    #: Seconds from a connection's start to the end of its TLS handshake.
    handshake_seconds: float = 10.0
    #: The file descriptor that ``supervise`` hands to each of several workers.
    control: int | None = None
