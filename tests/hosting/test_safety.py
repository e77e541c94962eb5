"""What every reply tells a browser, the server's own replies too."""

from __future__ import annotations

from typing import Any

import pytest
import trustme

from ai_gateway.hosting.head import Head
from ai_gateway.hosting.safety import Safety
from tests.hosting.conftest import Running, head, read, running
from tests.hosting.test_tls import get, issue, trusting

NAMES = {
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-security-policy",
    "cache-control",
}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head("GET", "/a"), 200),
        (head("POST", "/a", "Content-Length: 9999"), 413),
        (head("POST", "/a", "Content-Length: 5"), 408),
        (head("GET", "/a", "X: " + "x" * 5000), 431),
        (head("GET", "/a", "Host: y"), 400),
        (b"NONSENSE\r\n\r\n", 400),
    ],
)
def test_every_reply_has_them(echo: Running, request_: bytes, status: int) -> None:
    """Whether the application answers, or the server by itself; and none says what serves it."""
    answer = echo.ask(request_)
    assert answer.status == status
    assert set(answer.headers) >= NAMES
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "sandbox",  # a page would have neither scripts nor forms, nor this origin
    ]
    assert {"server", "strict-transport-security"}.isdisjoint(answer.headers)


def test_a_failure_and_a_full_queue_have_them() -> None:
    """An application that raises, and a server that takes no more."""

    def broken(_environ: object, _start_response: object) -> list[bytes]:
        raise RuntimeError("broken")

    with running(broken) as server:
        assert set(server.get("/a").headers) >= NAMES
    with running(broken, threads=1, queued=0) as server:
        answer = server.get("/a")
    assert answer.status in (500, 503)
    assert set(answer.headers) >= NAMES


def test_a_reply_keeps_its_own() -> None:
    """A page says what it needs; it is not sent twice."""

    def page(_environ: object, start_response: Any) -> list[bytes]:
        start_response(
            "200 OK", [("Cache-Control", "max-age=60"), ("X-Frame-Options", "SAMEORIGIN")]
        )
        return [b"page"]

    with running(page) as server, server.connect() as caller:
        caller.sendall(head("GET", "/a", "Connection: close"))
        text = b""
        while data := caller.recv(10_000):
            text += data
    assert text.count(b"cache-control: ") == text.count(b"x-frame-options: ") == 1
    assert b"cache-control: max-age=60\r\n" in text
    assert b"x-frame-options: SAMEORIGIN\r\n" in text
    assert b"referrer-policy: no-referrer\r\n" in text


def test_https_is_remembered_over_tls_alone(tmp_path: Any) -> None:
    """A browser that was answered over TLS comes back over TLS."""
    authority = trustme.CA()
    with running(_empty, tls=issue(authority, tmp_path)) as server:
        answer = get(server, trusting(authority))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_stream_has_them(echo: Running) -> None:
    """Headers come before the first chunk."""
    with echo.connect() as caller:
        caller.sendall(head("HEAD", "/a"))
        assert set(read(caller, bodiless=True).headers) >= NAMES


def test_nothing_is_added_to_what_is_there() -> None:
    """A reply's own header of that name goes out alone, however it is written."""
    lines = Head.of(200, [("Cache-Control", "private")], Safety(tls=False)).lines.decode()
    found = [line.split(": ") for line in lines.splitlines()]
    assert ["cache-control", "private"] in found
    assert sorted(name for name, _ in found) == sorted(NAMES)


def _empty(_environ: object, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []
