"""Checksums and structures that issuers build into their tokens."""

from __future__ import annotations

import base64
import binascii
import string
import zlib

import orjson

from ai_gateway.guardrails.secret.doubt import CERTAIN, UNLIKELY, random_looking

_BASE36 = string.digits + string.ascii_lowercase
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CRC62 = 6
_CRC36 = 7
#: The claims of the token that jwt.io shows everybody, as base64 begins them.
_SHOWN = ".eyJzdWIiOiIxMjM0NTY3ODkwI"


def _written(number: int, alphabet: str, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        digits = alphabet[digit] + digits
    return digits.rjust(width, alphabet[0])


def _share(token: str, *, right: bool) -> float:
    return random_looking(token) * (CERTAIN if right else UNLIKELY)


def github(token: str) -> float:
    """CRC32 in base 62 behind 30 characters, as GitHub and npm publish it.

    github.blog/2021-04-05-behind-githubs-new-authentication-token-formats
    """
    body, checksum = token.partition("_")[2][:-_CRC62], token[-_CRC62:]
    return _share(token, right=checksum == _written(zlib.crc32(body.encode()), _BASE62, _CRC62))


def gitlab(token: str) -> float:
    """CRC32 in base 36 behind all else in routable tokens (GitLab handbook); others have none."""
    if "." not in token:
        return random_looking(token)
    head, checksum = token[:-_CRC36], token[-_CRC36:]
    return _share(token, right=checksum == _written(zlib.crc32(head.encode()), _BASE36, _CRC36))


def grafana(token: str) -> float:
    """CRC32 in hex, lowest byte first, behind the last underscore (Grafana's satokengen)."""
    head, _, checksum = token.rpartition("_")
    return _share(token, right=zlib.crc32(head.encode()).to_bytes(4, "little").hex() == checksum)


def decoded(part: str) -> bytes:
    """Base64url without its padding; nothing where it is none."""
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return b""


def jwt(token: str) -> float:
    """RFC 7515: the first part is a JSON object that names an algorithm."""
    try:
        header = orjson.loads(decoded(token.partition(".")[0]))
    except orjson.JSONDecodeError:
        return 0.0
    if not isinstance(header, dict) or "alg" not in header:
        return 0.0
    return UNLIKELY if _SHOWN in token else CERTAIN


def discord(token: str) -> float:
    """The first part is a user's id: 17 to 19 digits in base64."""
    user = decoded(token.partition(".")[0])
    return random_looking(token) if user.isdigit() else 0.0
