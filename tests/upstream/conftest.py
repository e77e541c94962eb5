"""A scripted upstream on real sockets, and the gateway's way to it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ai_gateway.clock import SystemClock
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Reply, Stream, Upstreams
from ai_gateway.upstream.cancel import NEVER
from tests.upstream.fake import FakeUpstream

CHAT = "/chat/completions"
BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """A scripted upstream over plain HTTP."""
    server = FakeUpstream()
    yield server
    server.close()


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over, for steps that wait."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def upstreams() -> Iterator[Upstreams]:
    """The gateway's way to upstreams, in an empty environment."""
    ways = Upstreams(SystemClock(), {})
    yield ways
    ways.close()


@pytest.fixture
def ask(upstream: FakeUpstream, upstreams: Upstreams, over: threading.Event) -> Callable[..., Any]:
    """Ask the scripted upstream, with fields of the Model as keywords."""

    def call(within: float = 5.0, body: Any = BODY, **fields: Any) -> Reply:
        model = Model.model_validate({"url": upstream.url, "model_id": "meta/llama", **fields})
        return upstreams.send(model, CHAT, body, SystemClock().monotonic() + within)

    return call


@pytest.fixture
def listen(
    upstream: FakeUpstream, upstreams: Upstreams, over: threading.Event
) -> Callable[..., Any]:
    """Ask the scripted upstream for a stream, with fields of the Model as keywords."""

    def call(
        within: float = 5.0, body: Any = BODY, path: str = "/chat/completions", **fields: Any
    ) -> Stream:
        cancel, says = fields.pop("cancel", NEVER), fields.pop("says", bool)
        model = Model.model_validate({"url": upstream.url, "model_id": "meta/llama", **fields})
        end = SystemClock().monotonic() + within
        return upstreams.stream(model, path, body, end, cancel=cancel, says=says)

    return call


@dataclass(frozen=True)
class Authority:
    """A certificate authority and a server's certificate for ``localhost`` by it, as files."""

    ca: Path
    certificate: Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of this test run."""
    folder = tmp_path_factory.mktemp("certificates")
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _certificate("Test authority", ca_key.public_key(), "Test authority", ca_key, ca=True)
    leaf = _certificate("localhost", key.public_key(), "Test authority", ca_key, ca=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(private + leaf.public_bytes(pem))
    return Authority(folder / "ca.pem", folder / "server.pem")


@pytest.fixture
def secure(authority: Authority) -> Iterator[FakeUpstream]:
    """A scripted upstream over TLS, as ``localhost``, trusted by nobody but ``authority``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate)
    server = FakeUpstream(context)
    yield server
    server.close()


def _certificate(
    subject: str, public: Any, issuer: str, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_usage(ca=ca), critical=True)  # which Python 3.13 insists on
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
