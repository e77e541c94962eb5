"""How the gateway proves itself: a token, fixed, from a file that somebody renews, or a cloud's.

A token never stands in a ``repr``, an error or a log.
"""

from __future__ import annotations

import base64
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamDenied
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.upstream import clouds

SKEW = 60.0  # seconds before its ``exp`` that a token counts as expired: clocks differ
RECHECK = 60.0  # seconds after which a token without ``exp`` is read again
_LARGEST = 65536  # bytes of a token file


class Credential(Protocol):
    """A source of tokens."""

    @property
    def renewable(self) -> bool:
        """Whether a token that was refused may be followed by another."""

    def token(self) -> str | None:
        """The token to send, or ``None`` for no credentials."""

    def renew(self) -> None:
        """The token was refused: fetch it anew with the next ``token()``."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Static:
    """A token that stands in the manifest, or none."""

    value: str | None = field(default=None, repr=False)
    renewable: bool = False

    def token(self) -> str | None:
        """The token."""
        return self.value

    def renew(self) -> None:
        """Nothing can be renewed."""


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    until: float
    modified: float | None  # of the file; None where the token's own ``exp`` says how long it lasts


class TokenFile:
    """A file with a token, plain or as JSON field ``access_token`` (/tmp/jwt on Cloudera AI).

    It is kept until its ``exp`` (RFC 7519, 4.1.4) less a skew; a token without ``exp`` until the
    file changes, or for a minute. Any error is an UpstreamDenied; the log names the path.
    """

    renewable = True

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = Path(path)
        self._clock = clock
        self._held: _Held | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def token(self) -> str:
        """The token in the file."""
        held = self._held
        if held is not None and self._fresh(held):
            return held.token
        with self._lock:
            held = self._held = self._read()
        return held.token

    def renew(self) -> None:
        """Read the file again before the next use."""
        self._held = None

    def _fresh(self, held: _Held) -> bool:
        if self._clock.now() >= held.until:
            return False
        return held.modified is None or held.modified == self._modified()

    def _modified(self) -> float:
        try:
            return self._path.stat().st_mtime
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from None

    def _read(self) -> _Held:
        modified = self._modified()
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from None
        if len(data) > _LARGEST:
            raise self._unusable("it is too large")
        token = usable(_token_in(data))
        if token is None:
            raise self._unusable("there is no token in it")
        expiry = expires_at(token)
        if expiry is None:
            return _Held(token, self._clock.now() + RECHECK, modified)
        return _Held(token, expiry - SKEW, None)

    def _unusable(self, reason: str) -> UpstreamDenied:
        log.error("the token file %s cannot be used: %s", self._path, reason)
        return UpstreamDenied("The gateway's own token for this model cannot be read.")


def usable(token: str | None) -> str | None:
    """``token`` without surrounding space, or ``None`` if a header cannot carry it."""
    text = (token or "").strip()
    return text if text and text.isascii() and text.isprintable() and " " not in text else None


def expires_at(token: str) -> float | None:
    """Seconds since the epoch of a JWT's ``exp``, unverified; ``None`` if there is none."""
    match token.split("."):  # RFC 7515, 3.1
        case [_, payload, _]:
            claims = _decoded(payload)
        case _:
            return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return float(expiry) if isinstance(expiry, (int, float)) else None


def _decoded(part: str) -> object:
    try:
        return orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:  # binascii.Error and orjson.JSONDecodeError are both
        return None


def _token_in(data: bytes) -> str | None:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if not text.startswith("{"):
        return text
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    token = found.get("access_token")
    return token if isinstance(token, str) else None


class Wallet:
    """Every credential in use, one object for each spec, so that a token is had once for all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[object, Credential] = {}

    def credential(self, who: str, spec: Credentials) -> Credential:
        """The credential that ``spec`` declares; raises UpstreamDenied for an unusable token."""
        if spec.token_file:
            path = spec.token_file
            return self._kept.setdefault(path, TokenFile(path, self._clock))
        if spec.aws:
            return self._kept.setdefault(spec.aws, clouds.aws(spec.aws, self._clock))
        if spec.google:
            return self._kept.setdefault(spec.google, clouds.google(spec.google, self._clock))
        if spec.token is None:
            return Static()
        token = usable(spec.token.get_secret_value())
        if token is None:
            raise UpstreamDenied(f"{who} has a token that is empty or that no header can carry.")
        return Static(token)
