"""A small OpenID provider on loopback, with real keys, which also misbehaves as a test says."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ai_gateway.access.issuer import Issuer
from tests.clocks import Moved

NOW = 1_800_000_000.0
CONFIGURATION = "/.well-known/openid-configuration"


@dataclass
class Clock(Moved):
    """One that begins when the tokens are made."""

    time: float = NOW


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
    #: While not set, neither the key set nor a code is answered.
    free: Event = field(default_factory=Event)
    #: Set when the key set is asked for.
    asked: Event = field(default_factory=Event)
    #: The one client that people sign in by; without a secret it is a public one.
    client_id: str = "portal"
    client_secret: str | None = None
    #: By code: what was asked for when it was given.
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Of ID tokens, over what is right.
    said: dict[str, Any] = field(default_factory=dict)
    #: Who signs them, if not the first of ``signers``, or what makes them in another way.
    signer: Signer | None = None
    forge: Callable[[dict[str, Any]], str] | None = None
    #: Every ID token that was given.
    given: list[str] = field(default_factory=list)
    now: Callable[[], float] = lambda: NOW

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == CONFIGURATION:
            right = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            right["authorization_endpoint"] = f"{self.url}/authorize"
            right["token_endpoint"] = f"{self.url}/token"
            return 200, json.dumps(right | self.configuration).encode()
        self.asked.set()
        self.free.wait(30)
        return (200, document(*self.signers)) if path.startswith("/keys") else (404, b"{}")

    def authorize(self, query: str) -> str:
        """Where the browser of somebody who signs in is sent (RFC 6749, 4.1.2)."""
        asked = dict(parse_qsl(query, strict_parsing=True))
        wanted = {"response_type": "code", "code_challenge_method": "S256"}
        wanted |= {"client_id": self.client_id}
        assert {name: asked[name] for name in wanted} == wanted
        assert "openid" in asked["scope"].split()
        code = secrets.token_hex(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.url}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def exchange(self, form: str) -> tuple[int, bytes]:
        """The answer to a code, which is good once (RFC 6749, 4.1.3; RFC 7636, 4.6)."""
        sent = dict(parse_qsl(form, strict_parsing=True))
        asked = self.codes.pop(sent["code"], None)
        if sent["client_id"] != self.client_id or sent.get("client_secret") != self.client_secret:
            return 401, b'{"error": "invalid_client"}'
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        if (
            asked is None
            or sent["grant_type"] != "authorization_code"
            or sent["redirect_uri"] != asked["redirect_uri"]
            or part(digest) != asked["code_challenge"]
        ):
            return 400, b'{"error": "invalid_grant"}'
        right = {"aud": self.client_id, "nonce": asked["nonce"]} | self.said
        sign = self.forge or (self.signer or self.signers[0]).sign
        token = sign(claims(self.url, self.now(), **right))
        self.given.append(token)
        return 200, json.dumps({"id_token": token, "token_type": "Bearer"}).encode()

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
            path, _, query = self.path.partition("?")
            if path == "/authorize":
                self._send(302, b"", {"Location": found.authorize(query)})
            else:
                self._send(*found.answer(self.path), found.headers)

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            found.requests.append(path)
            found.free.wait(30)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            right = path == "/token" and self.headers["Content-Type"].endswith("urlencoded")
            answer = found.exchange(body.decode()) if right else (404, b"{}")
            self._send(*found.answers.get(path, answer), found.headers)

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # whoever asked has left
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
