"""A small OpenID provider on loopback, with real keys, which also misbehaves as a test says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ai_gateway.access.issuer import Issuer

NOW = 1_800_000_000.0
CONFIGURATION = "/.well-known/openid-configuration"


@dataclass
class Clock:
    """A clock that a test moves."""

    time: float = NOW

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass(frozen=True)
class Signer:
    """A private key, and what its issuer publishes of it."""

    name: str
    algorithm: str
    key: Any
    #: Beside what the key itself is.
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as it stands in a key set."""
        kinds: dict[str, Any] = {"RS": RSAAlgorithm, "PS": RSAAlgorithm, "ES": ECAlgorithm}
        kind = kinds.get(self.algorithm[:2], OKPAlgorithm)
        public = kind.to_jwk(self.key.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {**public, "kid": self.name, "use": "sig", **dict(self.more)}

    def sign(self, claims: Any, **header: Any) -> str:
        """A token; a header that is None is left out."""
        signer = jwt.PyJWS()
        wanted = {"kid": self.name, "typ": "JWT"} | header
        given = {name: value for name, value in wanted.items() if value is not None}
        data = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        return signer.encode(data, self.key, self.algorithm, headers={"typ": None} | given)


@cache
def rsa_signer(name: str = "rsa-1", algorithm: str = "RS256", bits: int = 2048) -> Signer:
    """An RSA key of that name, made once for all tests."""
    return Signer(name, algorithm, rsa.generate_private_key(65537, bits))


@cache
def ec_signer(name: str = "ec-1", algorithm: str = "ES256") -> Signer:
    """A key on the curve of ``algorithm``."""
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return Signer(name, algorithm, ec.generate_private_key(curves[algorithm]))


@cache
def ed_signer(name: str = "ed-1") -> Signer:
    """An Ed25519 key."""
    return Signer(name, "EdDSA", ed25519.Ed25519PrivateKey.generate())


def part(value: Any) -> str:
    """One part of a token by hand."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(issuer: str, now: float = NOW, **changed: Any) -> dict[str, Any]:
    """Those of a token that is good; one that is None is left out."""
    given = {
        "iss": issuer,
        "aud": "gateway",
        "sub": "alice",
        "iat": now,
        "exp": now + 300,
    } | changed
    return {name: value for name, value in given.items() if value is not None}


def document(*signers: Signer) -> bytes:
    """A key set."""
    return json.dumps({"keys": [signer.jwk for signer in signers]}).encode()


@dataclass
class Provider:
    """What the server says, and what it was asked."""

    url: str = ""
    signers: tuple[Signer, ...] = ()
    #: Of the configuration, over what is right.
    configuration: dict[str, Any] = field(default_factory=dict)
    #: Status and body by path, in place of what is right.
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    #: While not set, the key set is not answered.
    free: Event = field(default_factory=Event)
    #: Set when the key set is asked for.
    asked: Event = field(default_factory=Event)

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == CONFIGURATION:
            right = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, json.dumps(right | self.configuration).encode()
        self.asked.set()
        self.free.wait(30)
        return (200, document(*self.signers)) if path.startswith("/keys") else (404, b"{}")

    @property
    def fetches(self) -> int:
        """How often its keys were asked for."""
        return sum(path.startswith("/keys") for path in self.requests)

    def issuer(self, **changed: Any) -> Issuer:
        """It, as a bundle declares it."""
        given = {"name": "idp", "issuer": self.url, "audience": "gateway"} | changed
        return Issuer.model_validate(given)

    def token(self, signer: Signer | None = None, **changed: Any) -> str:
        """A good token of it, but for what is ``changed``."""
        return (signer or self.signers[0]).sign(claims(self.url, **changed))


@contextmanager
def provider(*signers: Signer) -> Iterator[Provider]:
    """One that runs until the end."""
    found = Provider(signers=signers)
    found.free.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        found.free.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(found: Provider) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = found.answer(self.path)
            try:
                self.send_response(status)
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # whoever asked has left
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
