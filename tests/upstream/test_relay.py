"""A proxied target gets the path, the query and what headers it may see, and nothing else."""

from __future__ import annotations

import gzip
import posixpath
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from ai_gateway.clock import SystemClock
from ai_gateway.errors import BadRequest, UpstreamError
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.upstream import ProxyRequest, RawReply, Upstreams, relay
from tests.upstream.fake import reply, then_close

Pass = Callable[..., RawReply]


@pytest.fixture
def pass_on(upstream: Any, upstreams: Upstreams) -> Pass:
    """Pass a request on to the scripted upstream."""

    def call(method: str = "GET", path: str = "/x", target: str = "", **fields: Any) -> RawReply:
        request = ProxyRequest("vectors", upstream.origin + target, method, path, **fields)
        return upstreams.relay(request, SystemClock().monotonic() + 5)

    return call


def test_a_request_is_passed_on(pass_on: Pass, upstream: Any) -> None:
    """Method, path, query and body arrive as they were sent; the answer comes back whole."""
    upstream.script(reply(b"made", 201, {"x-made": "yes"}, "text/plain"))
    got = pass_on("PUT", "/a b/c%20d", query="q=1&q=%202&r=a b", body=b"\x00\xff")
    (sent,) = upstream.requests
    assert (sent.method, sent.target) == ("PUT", "/a%20b/c%20d?q=1&q=%202&r=a%20b")
    assert (sent.body, sent.headers["content-length"]) == (b"\x00\xff", "2")
    assert (got.status, got.body) == (201, b"made")
    assert got.headers == {"content-type": "text/plain", "x-made": "yes"}


@pytest.mark.parametrize("status", [200, 204, 301, 302, 400, 401, 403, 404, 429, 500, 503])
def test_any_status_comes_back(pass_on: Pass, upstream: Any, status: int) -> None:
    """The target's status is the answer's, and a redirect is passed back, not followed."""
    upstream.script(reply(b"", status, {"location": "/elsewhere"}))
    got = pass_on()
    assert (got.status, got.headers["location"]) == (status, "/elsewhere")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("target", "path", "asked"),
    [
        ("", "", "/"),
        ("/", "/", "/"),
        ("/base", "", "/base"),
        ("/base/", "/x", "/base/x"),
        ("/base", "/x/", "/base/x/"),
        ("/base", "/x/../y/./z", "/base/y/z"),
        ("/base", "/x/%2e%2E/y", "/base/y"),
        ("/base", "/a%2Fb", "/base/a%2Fb"),
        ("/base", "x", "/base/x"),
        ("/base", "//evil.test/x", "/base//evil.test/x"),
        ("/base", "/ü?#", "/base/%C3%BC%3F%23"),
    ],
)
def test_paths(pass_on: Pass, upstream: Any, target: str, path: str, asked: str) -> None:
    """The path is appended to the target's, its dot segments resolved, its escapes kept."""
    pass_on(path=path, target=target)
    assert upstream.requests[0].target == asked


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/%252e%252e/x",
        "/a%2f..%2f..%2fx",
        "/..%2fx",
        "/..%5cx",
        "/..\\x",
        "/..;a=b/x",
        "/a\r\nx: y",
        "/a%0d%0ax",
        "/a%00",
        "/%25252525252541",
    ],
)
def test_paths_that_leave_the_target(pass_on: Pass, upstream: Any, path: str) -> None:
    """A path that climbs above the target's, however it is written, is a bad request."""
    with pytest.raises(BadRequest, match="The path"):
        pass_on(path=path, target="/base")
    assert not upstream.requests


PIECES = [
    "..",
    ".",
    "/",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    "%2e",
    "%252e",
    "%25",
    ";",
    "a",
    "b?",
    "#",
    " ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join).map("/".__add__))
@example("/a/%2e%2e/%2e%2e/b")
def test_no_path_escapes(given_path: str) -> None:
    """However often the target decodes what it gets, it stays below the target's own path."""
    request = ProxyRequest("r", "http://host/base", "GET", given_path)
    try:
        target = relay.url(request, httpx.URL(request.target)).raw_path.decode()
    except BadRequest:
        return
    assert "?" not in target
    for _ in range(8):
        normal = posixpath.normpath(target.replace("\\", "/"))
        assert normal == "/base" or normal.startswith("/base/")
        target = unquote(target)


@given(st.text(max_size=30))
def test_any_path_is_sent_safely_or_refused(path: str) -> None:
    """What is sent for any path is ASCII without spaces or control characters."""
    try:
        sent = relay.path(path)
    except BadRequest:
        return
    assert sent.isascii()
    assert sent.isprintable()
    assert not set(sent) & set(" ?#")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET /x", "", "G\r\n"])
def test_methods_that_are_not_passed_on(pass_on: Pass, upstream: Any, method: str) -> None:
    """CONNECT, TRACE and what is no method at all are bad requests."""
    with pytest.raises(BadRequest, match="is not passed on"):
        pass_on(method)
    assert not upstream.requests


def test_head_and_options(pass_on: Pass, upstream: Any) -> None:
    """HEAD has headers and no body."""
    upstream.script(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n")
    assert pass_on("HEAD").body == b""
    assert pass_on("OPTIONS").status == 200
    assert upstream.connections == 1


def test_the_callers_secrets_stay(pass_on: Pass, upstream: Any) -> None:
    """Credentials, cookies, identity, forwarding and hop-by-hop headers do not reach the target."""
    dropped = {
        "Authorization": "Bearer caller",
        "X-API-Key": "caller",
        "api-key": "caller",
        "x_api_key": "caller",
        "Cookie": "a=b",
        "REMOTE-USER": "caller",
        "Remote_User": "caller",
        "X-Forwarded-For": "1.2.3.4",
        "x-forwarded-anything": "1",
        "Forwarded": "for=1.2.3.4",
        "X-Real-IP": "1.2.3.4",
        "Proxy-Authorization": "Basic x",
        "Connection": "keep-alive, X-Private",
        "X-Private": "hop",
        "Keep-Alive": "5",
        "TE": "trailers",
        "Trailer": "x",
        "Transfer-Encoding": "chunked",
        "Upgrade": "h2c",
        "Expect": "100-continue",
        "Host": "gateway",
        "Content-Length": "7",
        "Accept-Encoding": "br",
    }
    kept = {"Accept": "text/plain", "X-Custom": " caf\xe9 ", "User-Agent": "me"}
    pass_on("POST", headers=dropped | kept, body=b"abc")
    assert upstream.requests[0].headers == {
        "host": f"127.0.0.1:{upstream.port}",
        "accept-encoding": "identity",
        "content-length": "3",
        "accept": "text/plain",
        "x-custom": "caf\xe9",
        "user-agent": "me",
    }


def test_the_routes_credentials_are_added(pass_on: Pass, upstream: Any, tmp_path: Any) -> None:
    """The target gets the route's own token, renewed after a 401 as a model's is."""
    file = tmp_path / "token"
    file.write_text("route-token")
    upstream.script(reply(b"", 401))
    spec = Credentials(token_file=str(file))
    assert pass_on(headers={"authorization": "Bearer caller"}, credentials=spec).status == 200
    assert [got.headers["authorization"] for got in upstream.requests] == ["Bearer route-token"] * 2


def test_the_credentials_header_is_the_routes_alone(pass_on: Pass, upstream: Any) -> None:
    """A caller's header of the same name would be a second token, of which a target takes one."""
    spec = Credentials(token=SecretStr("ours"), header="x-their-key")
    assert pass_on(headers={"X-Their-Key": "caller"}, credentials=spec).status == 200
    assert upstream.requests[0].headers["x-their-key"] == "ours"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "b\r\nx-evil: 1"},
        {"x-a": "b\nc"},
        {"x-a": "b\0"},
        {"x-a": "snow\u2603"},
        {"x a": "b"},
        {"x-a:": "b"},
        {"": "b"},
    ],
)
def test_broken_headers_are_refused(pass_on: Pass, upstream: Any, headers: Any) -> None:
    """A header that would end early, or that is none, is a bad request and goes nowhere."""
    with pytest.raises(BadRequest, match="cannot be passed on"):
        pass_on(headers=headers)
    assert not upstream.requests


def test_the_answers_headers(pass_on: Pass, upstream: Any) -> None:
    """Cookies, hop-by-hop headers and codings of the answer end here; the body is decoded."""
    upstream.script(
        reply(
            gzip.compress(b"plain"),
            headers={
                "Set-Cookie": "a=b",
                "Connection": "keep-alive, X-Private",
                "X-Private": "hop",
                "Keep-Alive": "5",
                "Content-Encoding": "gzip",
                "ETag": "1",
            },
        )
    )
    got = pass_on()
    assert got.body == b"plain"
    assert got.headers == {"content-type": "application/json", "etag": "1"}


def test_a_target_says_nothing_of_the_gateways_own_pages(pass_on: Pass, upstream: Any) -> None:
    """To a browser its answer is of the gateway's origin, where people may be signed in."""
    ours = {
        "Content-Security-Policy": "script-src 'unsafe-inline'",
        "Content-Security-Policy-Report-Only": "script-src 'none'; report-uri https://evil.example",
        "X-Content-Type-Options": "guess",
        "X-Frame-Options": "ALLOWALL",
        "Referrer-Policy": "unsafe-url",
        "Strict-Transport-Security": "max-age=0",
        "Service-Worker-Allowed": "/",
        "Clear-Site-Data": '"*"',
        "Alt-Svc": 'h2="evil.example:443"',
        "NEL": "{}",
        "Report-To": "{}",
        "Reporting-Endpoints": 'a="https://evil.example"',
    }
    upstream.script(reply(b"{}", headers={"Cache-Control": "max-age=60", **ours}))
    expected = {"content-type": "application/json", "cache-control": "max-age=60"}
    assert pass_on().headers == expected


def test_a_coding_that_nobody_can_read(pass_on: Pass, upstream: Any) -> None:
    """A body that the guardrails could not read is an error, not passed through."""
    upstream.script(reply(b"...", headers={"content-encoding": "br"}))
    with pytest.raises(UpstreamError, match="The target vectors answered in a coding"):
        pass_on()


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("PUT", 2), ("POST", 1), ("PATCH", 1)])
def test_only_idempotent_requests_are_repeated(
    pass_on: Pass, upstream: Any, method: str, times: int
) -> None:
    """A request that must not happen twice is not sent again on a kept connection's end."""
    pass_on()
    upstream.script(then_close(b""))
    if times == 1:
        with pytest.raises(UpstreamError, match="without an answer"):
            pass_on(method)
    else:
        assert pass_on(method).status == 200
    assert len(upstream.requests) == 1 + times


def test_an_unusable_target(upstreams: Upstreams) -> None:
    """A target that is no URL is an error that names the route."""
    with pytest.raises(UpstreamError, match="The target r has a URL"):
        upstreams.relay(ProxyRequest("r", "nonsense", "GET", ""), SystemClock().monotonic() + 1)


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_http_does_not_know_is_an_error(
    pass_on: Pass, upstream: Any, status: int
) -> None:
    """What no server of ours could send on is a clear failure of the target."""
    upstream.script(then_close(b"HTTP/1.1 %d Odd\r\ncontent-length: 0\r\n\r\n" % status))
    with pytest.raises(UpstreamError, match=f"the status {status}"):
        pass_on()


@pytest.mark.parametrize("value", ["日本".encode(), b"gr\xfc\xdf", b"plain"])
def test_a_headers_bytes_come_back_as_they_are(pass_on: Pass, upstream: Any, value: bytes) -> None:
    """A header is a row of bytes, of which Latin-1 text is the way to tell (PEP 3333)."""
    upstream.script(then_close(b"HTTP/1.1 200 OK\r\nx-a: " + value + b"\r\n\r\n"))
    assert pass_on().headers["x-a"].encode("latin-1") == value
