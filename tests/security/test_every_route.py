"""A walk over every route, in every spelling: nothing is done for who brings no good credential."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from ai_gateway.contract import Reply
from runner import application
from tests.access.oidc import part
from tests.hosting.conftest import head, running

METHODS = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "TICK",
    "get",
    "A B",
)
#: A credential that is none, one that is wrong, and headers that others take for one.
WRONG = {
    "key": {"X-API-Key": "wrong"},
    "other key": {"api-key": "wrong"},
    "bearer": {"Authorization": "Bearer wrong"},
    "token": {"Authorization": f"Bearer {part({'alg': 'none'})}.{part({'sub': 'admin'})}."},
    "basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "issued": {"X-API-Key": "agw_00000000_" + "0" * 43},
    "empty": {"Authorization": "Bearer"},
}
NONE = {
    "nothing": {},
    "empty header": {"X-API-Key": ""},
    "proxies": {
        "REMOTE-USER": "admin",
        "X-Forwarded-User": "admin",
        "X-Forwarded-For": "127.0.0.1",
        "Cookie": "session=admin",
        "X-Original-URL": "/ping",
        "X-Rewrite-URL": "/ping",
        "X-HTTP-Method-Override": "GET",
    },
}
HOSTS = ("x", "evil/ping?", "x/ping?#", "localhost:1#/ping", "", "a" * 300)


def path_of(route) -> str:
    """A path that meets the route."""
    return re.sub(r"\{[^}]+\}", "model-a", route.path)


def spellings(path) -> list[str]:
    """The path as others write it, whom somebody in front or behind may read as the same."""
    return [
        f"{path}/",
        f"/{path}",
        f"///{path}",
        path.replace("/", "//"),
        f"{path}/.",
        f"/ping/..{path}",
        f"/ping/%2e%2e{path}",
        f"/ping/..%2f{path[1:]}",
        f"/.{path}",
        path.replace("/", "%2f"),
        f"/{path[1:].replace('/', '%2f')}",
        path.replace("/", "\\"),
        path.upper(),
        path.title(),
        f"{path}%00",
        f"{path};/ping",
        f"{path}%20",
        f"{path}.json",
        f"{path}%23",
        f"{path}%3f/ping",
        "/" + "".join(f"%{ord(letter):02x}" for letter in path[1:]),
        path.replace("e", "\u0435"),
    ]


@pytest.fixture(params=["default", "everything"])
def walked(request, start, everything):
    """An application whose functions do nothing but tell that they were called, and its routes."""
    gateway = start() if request.param == "default" else everything()
    called: list[str] = []

    def telling(name):
        def handle(_event, _context) -> Reply:
            called.append(name)
            return Reply({"called": name})

        return handle

    handlers = gateway.snapshot.bundle.handlers
    for name in handlers:
        handlers[name] = telling(name)
    return gateway, application(gateway.snapshot), called


def ask(app, method, path, headers=None, *, host="x") -> int:
    """The status of one request, its path as the server hands it on."""
    builder = EnvironBuilder(
        "/", method=method, headers=headers, data=b"{}", content_type="application/json"
    )
    environ = builder.get_environ()
    builder.close()
    environ |= {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "HTTP_HOST": host}
    body, status, _ = run_wsgi_app(app, environ)
    for _ in body:
        pass
    return int(status.split()[0])


def closed(gateway) -> list:
    """The routes that do not say `auth: none`."""
    return [route for route in gateway.snapshot.bundle.manifest.routes if "none" not in route.auth]


def test_who_brings_nothing_or_a_wrong_credential_is_refused(walked) -> None:
    """401 on each route and for each of its methods, unless `auth: none` is written there."""
    gateway, app, called = walked
    for route in closed(gateway):
        assert route.auth, "a route of a bundle that ships says who may call it"
        for method in route.methods:
            for headers in [*WRONG.values(), *NONE.values()]:
                status = ask(app, method, path_of(route), headers)
                assert status == 401, (route.name, method, headers)
    assert called == []
    assert len(closed(gateway)) > 30


def test_a_wrong_credential_is_refused_on_open_routes_too(walked) -> None:
    """A credential that is presented and wrong is 401, whatever else would do."""
    gateway, app, called = walked
    everyone = gateway.snapshot.bundle.manifest.routes
    for route in (route for route in everyone if "none" in route.auth):
        for name, headers in WRONG.items():
            status = ask(app, route.methods[0], path_of(route), headers)
            assert status == 401, (route.name, name)
        before = len(called)
        assert ask(app, route.methods[0], path_of(route)) == 200
        assert called[before:] == [route.name]
        called.clear()


def test_no_spelling_of_a_path_and_no_method_opens_a_route(walked) -> None:
    """Slashes, dots, escapes, letters, methods: no function of a closed route is ever called."""
    gateway, app, called = walked
    protected = {route.name for route in closed(gateway)}
    for route in closed(gateway):
        path = path_of(route)
        for method in METHODS:
            assert 400 <= ask(app, method, path) < 500, (method, path)
        for spelled in spellings(path):
            for method in ("GET", *route.methods):
                assert ask(app, method, spelled) < 500, (method, spelled)
    assert protected.isdisjoint(called)


def test_no_host_opens_a_route(walked) -> None:
    """What the Host header says, which is no part of a path, opens nothing and breaks nothing."""
    gateway, app, called = walked
    for route in closed(gateway):
        for host in HOSTS:
            assert 400 <= ask(app, route.methods[0], path_of(route), host=host) < 500
    assert called == []


def test_no_form_of_a_target_opens_a_route(everything) -> None:
    """On the wire: absolute URLs, authorities, dots, fragments and odd hosts meet no function."""
    gateway = everything()
    called = []
    handlers = gateway.snapshot.bundle.handlers
    protected = {route.name for route in closed(gateway)}
    for name in handlers:
        handlers[name] = lambda event, _context: called.append(event.route.name) or Reply({})
    paths = (
        "/metrics",
        "/api/v1/keys",
        "/v1/models",
        "/predict",
        "/admin/judge-tick",
        "/inference",
    )
    with running(application(gateway.snapshot)) as server:
        for path in paths:
            targets = [
                f"http://x{path}",
                f"http://x/ping/..{path}",
                f"http://x{path}#/ping",
                f"http://user@x{path}",
                f"//x{path}",
                f"x:80{path}",
                f"{path}#",
                f"{path}?/ping",
                f"/ping?{path}",
                f"/ping/..{path}",
                f"/./{path}",
                f"{path}%2f..%2f",
                *spellings(path),
            ]
            for target in targets:
                for method in ("GET", "POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PRI"):
                    wire = head(method, "TARGET", "Content-Length: 0", "Connection: close")
                    with server.connect() as caller:
                        caller.sendall(wire.replace(b"TARGET", target.encode()))
                        first = caller.recv(12)
                    assert not first or first[9:10] in (b"2", b"4"), (method, target, first)
        for host in ("x/ping?", "x#/ping", "x, y", "\u00fc", "x y", "[::1", "x:99999999"):
            with server.connect() as caller:
                caller.sendall(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert caller.recv(12)[9:12] in (b"400", b"401"), host
    assert protected.isdisjoint(called)
    assert set(called) <= {"ping", "home"}
