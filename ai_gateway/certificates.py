"""The server's own certificate: what is wrong with its files, and renewals without a restart."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ai_gateway.watch import Watch

log = logging.getLogger(__name__)

CERTIFICATE, KEY, CLIENT_CA = "GATEWAY_TLS_CERT", "GATEWAY_TLS_KEY", "GATEWAY_TLS_CLIENT_CA"
#: Seconds between two looks at the files.
EVERY = 5.0
#: Some reasons of OpenSSL, and what an operator calls them.
_REASONS = {
    "KEY_VALUES_MISMATCH": "the key of another certificate",
    "EE_KEY_TOO_SMALL": "a key that is too short",
    "CA_MD_TOO_WEAK": "a certificate that is signed too weakly",
}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with its chain, its key, and whose clients are let in."""

    certificate: str
    key: str
    #: None where clients need no certificate.
    client_ca: str | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A variable whose file cannot be used: what was found there, and what would be right."""

    variable: str
    found: str
    wanted: str


def unusable(files: TlsFiles) -> Iterator[Unusable]:
    """All that is wrong with ``files``; no content of a key is ever shown."""
    wanted = "the certificate of this server and its chain, in PEM"
    of_certificate = list(_certificates(CERTIFICATE, files.certificate, wanted))
    yield from of_certificate
    yield from _key(files, paired=not of_certificate)
    if files.client_ca is not None:
        wanted = "the certificates of the authorities of clients, in PEM"
        yield from _certificates(CLIENT_CA, files.client_ca, wanted)


def _certificates(variable: str, path: str, wanted: str) -> Iterator[Unusable]:
    if not path:
        yield Unusable(variable, "nothing", wanted)
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        yield Unusable(variable, f"{path}: {_reason(error, 'no certificate in it')}", wanted)


def _key(files: TlsFiles, *, paired: bool) -> Iterator[Unusable]:
    wanted = f"the private key of the certificate in {CERTIFICATE}, in PEM, without a passphrase"
    if not files.key:
        yield Unusable(KEY, "nothing", wanted)
        return
    try:
        Path(files.key).read_bytes()
        if paired:
            _context(files.certificate, files.key)
    except OSError as error:
        yield Unusable(KEY, f"{files.key}: {_reason(error, 'no key that can be read')}", wanted)


def _reason(error: OSError, otherwise: str) -> str:
    if isinstance(error, ssl.SSLError):
        return _REASONS.get(error.reason or "", otherwise)
    return error.strerror or otherwise


def _context(certificate: str, key: str, client_ca: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or 1.3 with Python's own choice of ciphers; raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=lambda: "")  # asks nobody on a terminal
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # which costs a server more than who asks for it
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        # A session that is taken up again would not show its certificate again.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


class Certificates:
    """One context for a server's life. Connections that come use the files as they are by then."""

    def __init__(self, files: TlsFiles, every: float = EVERY) -> None:
        self._files = files
        self._every = every
        self._seen = self._digest()
        self._newest = self._load()
        #: What the server is given: each handshake goes on in the newest one.
        self.context = self._load()
        self.context.sni_callback = self._choose

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Look at the files again and again for as long as the block lasts."""
        watch = Watch("certificates", self._every, self.look)
        watch.start()
        try:
            yield
        finally:
            watch.stop()

    def look(self) -> None:
        """Take files that changed, or keep what there is and say so once; never raises."""
        seen = self._digest()
        if seen == self._seen:
            return
        self._seen = seen
        found = list(unusable(self._files))
        for each in found:
            log.error("%s cannot be used, the old one stays: %s", each.variable, each.found)
        if found:
            return
        try:
            self._newest = self._load()
        except OSError:  # changed again since it was looked at: the next look sees that
            self._seen = ""
            return
        log.info("the certificate was renewed")

    def _load(self) -> ssl.SSLContext:
        return _context(self._files.certificate, self._files.key, self._files.client_ca)

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _: ssl.SSLContext
    ) -> None:
        """Called in each handshake, whether its client names a server or not."""
        connection.context = self._newest

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path in filter(None, (self._files.certificate, self._files.key, self._files.client_ca)):
            content = b""
            with contextlib.suppress(OSError):
                content = Path(path).read_bytes()
            digest.update(f"{len(content)} ".encode() + content)
        return digest.hexdigest()
