"""Forward proxies and certificates come from the environment that was handed in."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import ProxyRequest, Upstreams
from ai_gateway.upstream.surroundings import Surroundings
from tests.upstream.conftest import CHAT
from tests.upstream.fake import FakeUpstream, Received, reply, spoken


@pytest.mark.parametrize(
    ("environment", "scheme", "proxy"),
    [
        ({}, "http", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, "https", None),
        ({"https_proxy": "p:3128", "HTTPS_PROXY": "http://q"}, "https", "http://p:3128"),
        ({"ALL_PROXY": "https://p"}, "http", "https://p"),
        ({"HTTP_PROXY": ""}, "http", None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "*"}, "http", None),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "other.test"}, "http", "http://p"),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "a, MODELS.test"}, "http", None),
        ({"HTTP_PROXY": "http://p", "no_proxy": "models.test:8080"}, "http", None),
    ],
)
def test_proxies(environment: dict[str, str], scheme: str, proxy: str | None) -> None:
    """The variables are read as other tools read them, lower case first."""
    found = Surroundings(environment).proxy(scheme, "models.test")
    assert (found and str(found.url)) == proxy


@pytest.mark.parametrize(
    ("listed", "host", "bypassed"),
    [
        (".test", "models.test", True),
        ("*.test", "models.test", True),
        ("test", "models.test", True),
        ("models.test", "my-models.test", False),
        ("odels.test", "models.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("::1", "::1", True),
        ("10.0.0.0/8", "models.test", False),
        ("", "models.test", False),
        (",", "models.test", False),
    ],
)
def test_no_proxy(listed: str, host: str, *, bypassed: bool) -> None:
    """NO_PROXY lists names, domains, addresses and networks."""
    around = Surroundings({"HTTP_PROXY": "http://p", "NO_PROXY": listed})
    assert (around.proxy("http", host) is None) is bypassed


@given(st.text(), st.text(min_size=1))
def test_no_proxy_takes_any_text(listed: str, host: str) -> None:
    """Whatever stands in NO_PROXY, it is an answer."""
    Surroundings({"HTTP_PROXY": "http://p", "NO_PROXY": listed}).proxy("http", host)


@pytest.mark.parametrize("value", ["socks5://user:hush@p", "ftp://p", "http://", "http://p:hush"])
def test_an_unusable_proxy(value: str) -> None:
    """A proxy that cannot be used is an error that names the variable, not its content."""
    with pytest.raises(UpstreamError, match="HTTP_PROXY") as caught:
        Surroundings({"HTTP_PROXY": value}).proxy("http", "models.test")
    assert "hush" not in caught.value.message


def test_certificates(authority: Any, tmp_path: Path) -> None:
    """The model's file goes before the environment's; a folder is one of hashed files."""
    ca = str(authority.ca)

    def names(context: ssl.SSLContext) -> list[Any]:
        return [found["subject"] for found in context.get_ca_certs()]

    bundled = Surroundings({"REQUESTS_CA_BUNDLE": ca, "SSL_CERT_FILE": "/none"})
    assert len(names(bundled.context(None))) == 1
    assert bundled.context(None) is bundled.context(None) is bundled.context(ca)
    assert len(names(Surroundings({"SSL_CERT_FILE": ca}).context(None))) == 1
    assert len(names(Surroundings({}).context(None))) > 10
    assert names(Surroundings({}).context(str(tmp_path))) == []


def test_a_changed_file_is_read_anew(authority: Any, tmp_path: Path) -> None:
    """A rotated CA file holds from the next reload on."""
    copy = tmp_path / "ca.pem"
    shutil.copy(authority.ca, copy)
    around = Surroundings({})
    before = around.context(str(copy))
    os.utime(copy, (1, 1))
    assert around.context(str(copy)) is not before


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_ca_file(tmp_path: Path, content: str | None) -> None:
    """A CA file that is missing or empty is an error with its path."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UpstreamError, match="cannot be used") as caught:
        Surroundings({}).context(str(path))
    assert str(path) in caught.value.message


def tunnel(connection: socket.socket, received: Received) -> bool:
    """What a forward proxy does with CONNECT: bytes to and fro."""
    host, _, port = received.target.rpartition(":")
    with socket.create_connection((host, int(port))) as far:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def pump(source: socket.socket, sink: socket.socket) -> None:
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        back = threading.Thread(target=pump, args=(far, connection))
        back.start()
        pump(connection, far)
        back.join(5)
    return False


def ask(ways: Upstreams, url: str, ca_file: str | None = None) -> str:
    """The text that a model at ``url`` answers."""
    model = Model(url=url, model_id="m", ca_file=ca_file)
    return spoken(ways.send(model, CHAT, {}, SystemClock().monotonic() + 5))


def test_a_forward_proxy_is_used(upstream: FakeUpstream) -> None:
    """A plain request goes to the proxy with its whole URL and the proxy's own credentials."""
    proxy = f"http://us%65r:pass@127.0.0.1:{upstream.port}"
    ways = Upstreams(SystemClock(), {"HTTP_PROXY": proxy})
    for _ in range(2):
        assert ask(ways, "http://models.test/v1") == "hello"
    got = upstream.requests[0]
    assert got.target == "http://models.test/v1/chat/completions"
    assert got.headers["host"] == "models.test"
    assert base64.b64decode(got.headers["proxy-authorization"].split()[1]) == b"user:pass"
    assert upstream.connections == 1
    ways.close()


def test_a_tunnel_is_dug(upstream: FakeUpstream, secure: FakeUpstream, authority: Any) -> None:
    """An https model behind a proxy is reached through a tunnel, which is kept."""
    upstream.script(tunnel)
    ways = Upstreams(SystemClock(), {"HTTPS_PROXY": f"http://127.0.0.1:{upstream.port}"})
    for _ in range(2):
        assert ask(ways, secure.url, str(authority.ca)) == "hello"
    assert upstream.requests[0].method == "CONNECT"
    assert (upstream.connections, secure.connections) == (1, 1)
    ways.close()


def test_a_proxy_behind_tls(secure: FakeUpstream, authority: Any) -> None:
    """A proxy may itself be reached over TLS, by the same certificates."""
    environment = {"HTTP_PROXY": secure.origin, "SSL_CERT_FILE": str(authority.ca)}
    ways = Upstreams(SystemClock(), environment)
    assert ask(ways, "http://models.test/v1") == "hello"
    ways.close()


def test_a_tunnel_through_a_proxy_behind_tls(secure: FakeUpstream, authority: Any) -> None:
    """An https model behind such a proxy is reached by TLS within TLS, and no other way."""
    ways = Upstreams(SystemClock(), {"HTTPS_PROXY": secure.origin})
    secure.script(tunnel)
    named = Model(url=secure.url, model_id="m", ca_file=str(authority.ca))
    assert spoken(ways.send(named, CHAT, {}, SystemClock().monotonic() + 5)) == "hello"
    assert [got.method for got in secure.requests] == ["CONNECT", "POST"]
    ways.close()


def test_a_refusing_proxy(upstream: FakeUpstream) -> None:
    """A proxy that does not dig is an error that says so."""
    upstream.script(reply(b"", 407))
    ways = Upstreams(SystemClock(), {"HTTPS_PROXY": f"http://127.0.0.1:{upstream.port}"})
    with pytest.raises(UpstreamError, match="forward proxy refused"):
        ask(ways, "https://models.test/v1")


def test_targets_behind_a_proxy_are_checked_by_name(upstream: FakeUpstream) -> None:
    """What the proxy would resolve is checked before it is asked."""
    ways = Upstreams(SystemClock(), {"HTTP_PROXY": f"http://127.0.0.1:{upstream.port}"})
    deadline = SystemClock().monotonic() + 5
    refused = ProxyRequest("r", "http://other.test", "GET", "", allowed_hosts=("db.test",))
    with pytest.raises(UpstreamError, match="The target r may not be connected to"):
        ways.relay(refused, deadline)
    assert not upstream.requests
    allowed = ProxyRequest("r", "http://db.test", "GET", "", allowed_hosts=("db.test",))
    assert ways.relay(allowed, deadline).status == 200
    ways.close()


def test_a_server_that_asks_who_calls(authority: Any) -> None:
    """A model's ``client_cert`` is shown to it; without, its handshake fails."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca))
    context.load_cert_chain(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    server = FakeUpstream(context)
    ways = Upstreams(SystemClock(), {})
    end = SystemClock().monotonic() + 5
    model = Model(url=server.url, model_id="m", ca_file=str(authority.ca))
    named = model.model_copy(update={"client_cert": str(authority.certificate)})
    assert spoken(ways.send(named, CHAT, {}, end)) == "hello"
    with pytest.raises(UpstreamError):
        ways.send(model, CHAT, {}, end)
    ways.close()
    server.close()


def test_a_client_certificate_is_read_anew(authority: Any, tmp_path: Path) -> None:
    """A renewed one holds from the next reload on; one that cannot be used says which."""
    copy = tmp_path / "client.pem"
    shutil.copy(authority.certificate, copy)
    around = Surroundings({})
    before = around.context(None, (str(copy), None))
    assert around.context(None, (str(copy), None)) is before
    assert around.context(None) is not before
    os.utime(copy, (1, 1))
    assert around.context(None, (str(copy), None)) is not before
    for content, reason in (("none", "without its key"), (None, "No such file")):
        copy.unlink()
        if content:
            copy.write_text(content)
        with pytest.raises(UpstreamError, match=f"{copy} cannot be used: .*{reason}"):
            around.context(None, (str(copy), None))
        copy.touch()
