"""The public keys in a document (JSON Web Key Sets, RFC 7517), as far as tokens need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ai_gateway import strictjson
from ai_gateway.errors import GatewayError

if TYPE_CHECKING:
    from jwt import PyJWK

MAX_DOCUMENT = 256_000  # bytes of a key set, or of what says where it is

_MOST = 100  # keys of one set that are looked at
_RSA = 2048  # bits that an RSA key has at least (RFC 7518, 3.3)

#: The type of key, and its curve, that goes with an algorithm (RFC 7518, 6; RFC 8037, 2).
_KINDS: Final[Mapping[str, tuple[str, str | None]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}


class Unusable(Exception):
    """What came is no key set of this issuer; the message says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer, by their name (``kid``) and algorithm."""

    keys: Mapping[tuple[str | None, str], PyJWK]
    #: What they were read from: the same bytes are the same keys.
    document: bytes = field(repr=False)

    def find(self, name: str | None, algorithm: str) -> PyJWK | None:
        """The key; without a name the only one for ``algorithm``."""
        if name is not None:
            return self.keys.get((name, algorithm))
        fitting = [key for (_, fits), key in self.keys.items() if fits == algorithm]
        return fitting[0] if len(fitting) == 1 else None


def parsed(document: bytes, algorithms: tuple[str, ...]) -> KeySet:
    """The keys in ``document`` that verify one of ``algorithms``; raises Unusable for none."""
    given = json_object(document).get("keys")
    if not isinstance(given, list):
        raise Unusable("no key set, which has a list `keys`")
    found: dict[tuple[str | None, str], PyJWK] = {}
    for jwk in given[:_MOST]:
        for algorithm in algorithms:
            key = _key(jwk, algorithm)
            if key is not None:
                found.setdefault((jwk.get("kid"), algorithm), key)
    if not found:
        raise Unusable(f"no public key for {' or '.join(algorithms)}")
    return KeySet(found, document)


def read_file(path: str) -> bytes:
    """The key set in the file; raises Unusable."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise Unusable(f"no readable file ({error.strerror})") from None
    if len(data) > MAX_DOCUMENT:
        raise Unusable(f"more than {MAX_DOCUMENT} bytes")
    return data


def json_object(document: bytes) -> dict[str, Any]:
    """The object in ``document``; raises Unusable for anything else."""
    try:
        value = strictjson.loads(document)
    except GatewayError:
        raise Unusable("no JSON with one reading") from None
    if not isinstance(value, dict):
        raise Unusable("no JSON object")
    return value


def _key(jwk: Any, algorithm: str) -> PyJWK | None:
    """``jwk`` as a key for ``algorithm``, or None where it is none, or not for that."""
    if not isinstance(jwk, dict) or not _fits(jwk, algorithm):
        return None
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415 - where no issuer is declared nobody needs it

    try:
        key = PyJWK(jwk, algorithm)
    except (PyJWTError, ValueError):
        return None
    small = jwk["kty"] == "RSA" and key.key.key_size < _RSA
    return None if small else key


def _fits(jwk: dict[str, Any], algorithm: str) -> bool:
    """Whether it is a public key, of the algorithm's type, that its issuer signs with."""
    kind, curve = _KINDS[algorithm]
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("kty") == kind
        and (curve is None or jwk.get("crv") == curve)
        and jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in jwk  # whoever can read it can sign
        and isinstance(jwk.get("kid"), str | None)
        and all(isinstance(jwk[part], str) for part in ("n", "e", "x", "y") if part in jwk)
    )
