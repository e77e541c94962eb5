"""TLS on a real socket: who is let in, which versions, renewals, and callers that are slow."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ai_gateway.certificates import Certificates, TlsFiles, unusable
from tests.hosting.conftest import Running, _echo, head, read, running, wait_until


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs servers' certificates."""
    return trustme.CA()


def issue(authority: trustme.CA, folder: Path, *names: str) -> TlsFiles:
    """A certificate and its key as files; those that were there are replaced."""
    folder.mkdir(exist_ok=True)
    certificate = authority.issue_cert(*(names or ("localhost",)))
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    (folder / "cert.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    return TlsFiles(str(folder / "cert.pem"), str(folder / "key.pem"))


def mutual(authority: trustme.CA, clients: trustme.CA, folder: Path) -> TlsFiles:
    """As ``issue``, for a server that lets in who has a certificate of ``clients``."""
    files = issue(authority, folder)
    clients.cert_pem.write_to_path(folder / "clients.pem")
    return TlsFiles(files.certificate, files.key, str(folder / "clients.pem"))


def trusting(authority: trustme.CA, **versions: ssl.TLSVersion) -> ssl.SSLContext:
    """A client's side."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for name, version in versions.items():
        setattr(context, name, version)
    return context


def known(authority: trustme.CA, clients: trustme.CA) -> ssl.SSLContext:
    """A client that has a certificate of ``clients``."""
    context = trusting(authority)
    clients.issue_cert("caller@example.org").configure_cert(context)
    return context


@contextlib.contextmanager
def connected(server: Running, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection whose handshake is done on our side."""
    with server.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        yield tls


def get(server: Running, context: ssl.SSLContext, path: str = "/a") -> Any:
    """One answer over a connection of its own."""
    with connected(server, context) as caller:
        caller.sendall(head("GET", path, "Connection: close"))
        return read(caller)


def answered(server: Running, context: ssl.SSLContext) -> bool:
    """Whether a byte comes back."""
    with contextlib.suppress(OSError), connected(server, context) as caller:
        caller.sendall(head("GET", "/a", "Connection: close"))
        return bool(caller.recv(1))
    return False


def serial(server: Running, context: ssl.SSLContext) -> str:
    """Of the certificate that the server shows."""
    with connected(server, context) as caller:
        return str(caller.getpeercert()["serialNumber"])


@pytest.fixture
def secure(authority: trustme.CA, tmp_path: Path) -> Iterator[Running]:
    """A server with a certificate."""
    with running(_echo, tls=issue(authority, tmp_path), handshake_seconds=0.5) as server:
        yield server


def test_requests_are_answered_and_the_url_says_https(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """The application knows that its caller came over TLS."""
    urls: list[str] = []
    with running(_echo, ready=urls.append, tls=issue(authority, tmp_path)) as server:
        answer = get(server, trusting(authority))
    assert (answer.status, urls[0].partition("://")[0]) == (200, "https")
    assert b'"wsgi.url_scheme": "https"' in answer.body


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_two_versions_are_spoken(
    secure: Running, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    """TLS 1.2 and 1.3, the newer where the caller knows both."""
    with connected(secure, trusting(authority, maximum_version=version)) as caller:
        assert caller.version() == version.name.replace("_", ".")
    with connected(secure, trusting(authority)) as caller:
        assert caller.version() == "TLSv1.3"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_version_is_refused(secure: Running, authority: trustme.CA) -> None:
    """TLS 1.1 ends in the handshake, whatever ciphers the caller would take."""
    context = trusting(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError), connected(secure, context):  # noqa: PT011 - alert or reset
        pass
    assert get(secure, trusting(authority)).status == 200


def test_plain_http_is_closed(secure: Running) -> None:
    """Who speaks no TLS gets no HTTP, and no word of what is behind."""
    with secure.connect() as caller:
        caller.sendall(head("GET", "/a"))
        got = b""
        with contextlib.suppress(ConnectionError):
            while data := caller.recv(1000):
                got += data
    assert b"HTTP" not in got


def test_a_handshake_has_a_deadline(secure: Running, authority: trustme.CA) -> None:
    """Silence, and half of a hello, are closed in time; others are answered meanwhile."""
    callers = [secure.connect() for _ in range(50)]
    for caller in callers[::2]:
        caller.sendall(b"\x16\x03\x01\x02\x00\x01")
    began = time.monotonic()
    assert get(secure, trusting(authority)).status == 200
    assert time.monotonic() - began < 0.4
    for caller in callers:
        caller.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in caller.recv(100)
        caller.close()
    assert 0.4 < time.monotonic() - began < 3


def test_a_head_has_its_own_deadline(authority: trustme.CA, tmp_path: Path) -> None:
    """Who is through the handshake and then says nothing is closed as without TLS."""
    tls = issue(authority, tmp_path)
    with (
        running(_echo, tls=tls, header_seconds=0.2) as server,
        connected(server, trusting(authority)) as caller,
    ):
        caller.settimeout(5)
        assert caller.recv(1) == b""


def test_who_reads_nothing_is_given_up(authority: trustme.CA, tmp_path: Path) -> None:
    """The bound of what waits for a caller holds over TLS too, and so does its time."""
    put: list[int] = []

    def endless(_environ: object, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        while True:
            put.append(65536)
            yield bytes(65536)

    with (
        running(endless, tls=issue(authority, tmp_path), stall_seconds=0.3) as server,
        connected(server, trusting(authority)) as caller,
    ):
        caller.sendall(head("GET", "/a"))
        assert wait_until(lambda: not server.server.server_state.connections)
        assert sum(put) < 20_000_000


def test_mutual_tls(authority: trustme.CA, tmp_path: Path) -> None:
    """Only who has a certificate of the named authority is answered."""
    clients, strangers = trustme.CA(), trustme.CA()
    with running(_echo, tls=mutual(authority, clients, tmp_path)) as server:
        assert answered(server, known(authority, clients))
        for refused in (trusting(authority), known(authority, strangers)):
            # In TLS 1.3 the client is done first, and hears of it at its first read.
            assert not answered(server, refused)
        refused = trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        with pytest.raises(OSError), connected(server, refused):  # noqa: PT011 - alert or reset
            pass
        assert get(server, known(authority, clients)).status == 200


def test_a_session_is_not_taken_up_again(authority: trustme.CA, tmp_path: Path) -> None:
    """With mutual TLS each connection shows its certificate; a ticket would stand for it."""
    clients = trustme.CA()
    context = known(authority, clients)
    with running(_echo, tls=mutual(authority, clients, tmp_path)) as server:
        with connected(server, context) as caller:
            caller.sendall(head("GET", "/a"))
            assert read(caller).status == 200
            session = caller.session
        assert session is None or not session.has_ticket


def test_renewed_files_are_taken(authority: trustme.CA, tmp_path: Path) -> None:
    """New connections get the new certificate, by name and by address; old ones go on."""
    files = issue(authority, tmp_path, "localhost", "127.0.0.1")
    context = trusting(authority)
    with running(_echo, tls=files) as server, connected(server, context) as old:
        old.sendall(head("GET", "/a"))
        assert read(old).status == 200
        before = serial(server, context)
        issue(authority, tmp_path, "localhost", "127.0.0.1")
        _certificates(server).look()
        assert serial(server, context) != before
        with server.connect() as plain:
            unnamed = context.wrap_socket(plain, server_hostname="127.0.0.1")  # sends no name
            assert unnamed.getpeercert()["serialNumber"] != before
            unnamed.close()
        old.sendall(head("GET", "/b"))
        assert read(old).status == 200


def test_an_authority_that_was_replaced_lets_nobody_in(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """Clients of the old one are refused from then on, those of the new one answered."""
    first, second = trustme.CA(), trustme.CA()
    with running(_echo, tls=mutual(authority, first, tmp_path)) as server:
        assert get(server, known(authority, first)).status == 200
        second.cert_pem.write_to_path(tmp_path / "clients.pem")
        _certificates(server).look()
        assert get(server, known(authority, second)).status == 200
        assert not answered(server, known(authority, first))


def test_files_that_fit_no_more_change_nothing(
    authority: trustme.CA, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Between two writes certificate and key do not fit: the old pair stays, and the log says."""
    files = issue(authority, tmp_path)
    context = trusting(authority)
    with running(_echo, tls=files) as server:
        before = serial(server, context)
        (tmp_path / "key.pem").write_bytes(authority.issue_cert("x").private_key_pem.bytes())
        for _ in range(2):
            _certificates(server).look()
        assert serial(server, context) == before
        (tmp_path / "cert.pem").unlink()
        _certificates(server).look()
        assert serial(server, context) == before
        issue(authority, tmp_path)
        _certificates(server).look()
        assert serial(server, context) != before
    said = [record.getMessage() for record in caplog.records if record.name.endswith("ficates")]
    assert [line.count("the old one stays") for line in said[:1]] == [1]
    assert sum("GATEWAY_TLS_KEY" in line for line in said) == 1


def test_files_are_followed(authority: trustme.CA, tmp_path: Path) -> None:
    """A renewal is found by looking: no file system has to tell."""
    certificates = Certificates(issue(authority, tmp_path), every=0.02)
    before = certificates._newest
    with certificates.followed():
        certificates.look()
        assert certificates._newest is before
        issue(authority, tmp_path)
        assert wait_until(lambda: certificates._newest is not before)


def test_files_that_change_while_they_are_read(authority: trustme.CA, tmp_path: Path) -> None:
    """Then the old pair stays until the next look, which takes the new one."""
    torn = [False, True]

    class Racing(Certificates):
        def _load(self) -> ssl.SSLContext:
            if len(torn) < 2 and torn.pop():
                raise OSError
            return super()._load()

    certificates = Racing(issue(authority, tmp_path))
    before = certificates._newest
    issue(authority, tmp_path)
    torn[:] = [True]
    certificates.look()
    assert certificates._newest is before
    torn[:] = [False]
    certificates.look()
    assert certificates._newest is not before


def test_what_is_wrong_with_files_is_said_at_once(authority: trustme.CA, tmp_path: Path) -> None:
    """Each variable is named, with its file; a key's content never is."""
    files = issue(authority, tmp_path)
    other = issue(authority, tmp_path / "other")
    gone = str(tmp_path / "gone.pem")
    assert list(unusable(files)) == []
    assert [each.variable for each in unusable(TlsFiles("", "", gone))] == [
        "GATEWAY_TLS_CERT",
        "GATEWAY_TLS_KEY",
        "GATEWAY_TLS_CLIENT_CA",
    ]
    assert [each.found for each in unusable(TlsFiles(gone, gone, files.key))] == [
        f"{gone}: No such file or directory",
        f"{gone}: No such file or directory",
        f"{files.key}: no certificate in it",
    ]
    mismatched = list(unusable(TlsFiles(files.certificate, other.key)))
    assert [each.found for each in mismatched] == [f"{other.key}: the key of another certificate"]
    swapped = list(unusable(TlsFiles(files.key, files.certificate)))
    assert [each.variable for each in swapped] == ["GATEWAY_TLS_CERT"]


def test_a_key_with_a_passphrase_asks_nobody(authority: trustme.CA, tmp_path: Path) -> None:
    """It is refused; OpenSSL would ask on the terminal and wait for ever."""
    files = issue(authority, tmp_path)
    key = serialization.load_pem_private_key(Path(files.key).read_bytes(), None)
    Path(files.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert [each.found for each in unusable(files)] == [f"{files.key}: no key that can be read"]


def test_http_client_of_the_standard_library(secure: Running, authority: trustme.CA) -> None:
    """Keep-alive works as without TLS."""
    connection = http.client.HTTPSConnection(
        "localhost", secure.port, context=trusting(authority), timeout=10
    )
    for _ in range(3):
        connection.request("POST", "/a", body=b"x" * 1000)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    connection.close()


def _certificates(server: Running) -> Certificates:
    found = server.server._certificates
    assert found is not None
    return found


def test_a_caller_who_is_cut_off_in_the_handshake_leaves_nothing(
    secure: Running, authority: trustme.CA
) -> None:
    """A hundred connections that end in their first bytes leave no connection behind."""
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", secure.port)) as caller:
            caller.sendall(b"\x16\x03\x01")
    assert wait_until(lambda: not secure.server.server_state.connections)
    assert get(secure, trusting(authority)).status == 200
