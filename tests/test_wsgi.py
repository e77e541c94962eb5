"""The way in and out: a request as an Event, a Response as WSGI."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders
from werkzeug.test import create_environ, run_wsgi_app

from ai_gateway import wsgi
from ai_gateway.contract import Reply
from ai_gateway.dispatch import Response
from ai_gateway.wsgi import Endpoint, FixedPaths

NAMES = st.sampled_from(
    (
        *("HTTP_HOST", "HTTP_X_API_KEY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_"),
        *("REQUEST_METHOD", "wsgi.version", "PATH_INFO", "http_x"),
    )
)
ROUTE = "  - {path: /ping, methods: [GET, POST], function: 'functions.ping:handle', auth: none}\n"
OTHERS = b"Flask was asked"


def others(_environ, start_response) -> list[bytes]:
    """Flask, as far as these tests need it."""
    start_response("200 OK", [])
    return [OTHERS]


def served(environ, *endpoints) -> tuple[bytes, str, dict[str, str]]:
    """The body, status and headers of one request."""
    chunks, status, headers = run_wsgi_app(FixedPaths(endpoints, others), environ)
    return b"".join(chunks), status, dict(headers)


@pytest.fixture
def endpoint(start):
    """The route /ping, with the function that is handed in."""

    def make(handle) -> Endpoint:
        snapshot = start(ROUTE).snapshot
        return Endpoint(snapshot.bundle.manifest.routes[0], handle, snapshot)

    return make


@given(st.dictionaries(NAMES, st.text(max_size=3)))
def test_headers_are_those_that_werkzeug_finds(environ) -> None:
    """Every header once, in lower case, and nothing that is none."""
    environ = {**environ, "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "1"}
    expected = {name.lower(): value for name, value in EnvironHeaders(environ)}
    assert {name: value for name, value in wsgi._headers(environ).items() if name} == {
        name: value for name, value in expected.items() if name
    }


def test_a_fixed_path_is_answered_without_flask(endpoint) -> None:
    """Body, status and headers go out as the function gave them, with the body's length."""
    reply = Reply(b"pong", status=201, headers={"content-type": "text/x"})
    body, status, headers = served(create_environ("/ping"), endpoint(lambda *_: reply))
    assert (body, status) == (b"pong", "201 Created")
    assert headers.pop("x-request-id")
    assert headers == {"content-type": "text/x", "content-length": "4"}


def test_the_event_is_what_came(endpoint) -> None:
    """Method, path, query, headers and body, and the time of the server that took it."""
    environ = create_environ("/ping?a=%C3%BC", method="POST", data=b"body")
    events = []

    def handle(event, _context) -> Reply:
        events.append(event)
        return Reply(event.body)

    served({**environ, "gateway.received": 7.5}, endpoint(handle))
    (event,) = events
    assert (event.method, event.path, event.query) == ("POST", "/ping", "a=%C3%BC")
    assert (event.body, event.headers["content-length"]) == (b"body", "4")
    assert (event.started, event.cancel) == (7.5, None)


@pytest.mark.parametrize(("path", "method"), [("/pong", "GET"), ("/ping", "HEAD"), ("/p/7", "GET")])
def test_any_other_path_or_method_is_flasks(endpoint, path, method) -> None:
    """An unknown path, a method that the route does not name, and a path with parameters."""
    fixed = endpoint(lambda *_: Reply(b""))
    parametrised = replace(fixed, route=fixed.route.model_copy(update={"path": "/p/{id}"}))
    environ = create_environ(path, method=method)
    assert served(environ, fixed, parametrised)[0] == OTHERS


def test_a_body_is_read_to_its_end() -> None:
    """By its length, or as far as a server says that it goes; without either there is none."""
    sent = b"body and the next request"
    for environ, expected in (
        ({"CONTENT_LENGTH": "4"}, b"body"),
        ({"CONTENT_LENGTH": ""}, b""),
        ({}, b""),
        ({"wsgi.input_terminated": True}, sent),
    ):
        assert wsgi._body({**environ, "wsgi.input": io.BytesIO(sent)}) == expected


def test_a_stream_is_handed_on_as_it_is(endpoint) -> None:
    """Its chunks, without a length."""

    def chunks() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    body, _, headers = served(create_environ("/ping"), endpoint(lambda *_: Reply(chunks())))
    assert body == b"ab"
    assert "content-length" not in headers
    assert headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("status", "line"), [(204, "204 No Content"), (304, "304 Not Modified"), (299, "299 Unknown")]
)
def test_a_status_without_a_body_has_no_length(status, line) -> None:
    """RFC 9110, 8.6; a status that has no name is passed on as well."""
    found = dict(wsgi.headers(Response(status, {}, b"")))
    assert ("content-length" in found) == (status == 299)
    assert wsgi._status(status) == line


def test_a_path_is_read_as_utf8() -> None:
    """Bytes that are none are replaced, as in Flask."""
    assert wsgi._path("/ü".encode().decode("latin-1")) == "/ü"
    assert wsgi._path("/\xff") == "/\ufffd"
    assert wsgi._path("/ping") == "/ping"


def test_of_two_functions_for_one_path_the_first_is_called(endpoint) -> None:
    """As Flask does it, so that a path means the same however it is found."""
    first = endpoint(lambda *_: Reply(b"1"))
    second = replace(first, handler=lambda *_: Reply(b"2"))
    assert served(create_environ("/ping"), first, second)[0] == b"1"


def test_a_path_is_written_as_flask_writes_it() -> None:
    """A parameter in angle brackets, and a last one that takes all that is below."""
    assert wsgi.rule("/a/{b}/c/{d:path}") == "/a/<b>/c/<rest:d>"
