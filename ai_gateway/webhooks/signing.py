"""Signatures by the Standard Webhooks specification, 1.0.0 (standardwebhooks.com).

A secret is 24 to 64 bytes, written in base64 with ``whsec_`` before it or not. What is signed is
``ID.TIMESTAMP.BODY``, by HMAC-SHA256, and told as ``v1,BASE64``; several signatures, one of each
secret, stand apart by a space.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
LENGTHS: Final = range(24, 65)
WANTED: Final = "24 to 64 random bytes in base64, such as of: openssl rand -base64 32"


def secret(text: str) -> bytes:
    """The key that ``text`` spells; raises ValueError for none, and for one that is too short."""
    plain = text.strip().removeprefix(PREFIX)
    try:
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:  # binascii's own, or letters that are not ASCII
        raise ValueError(WANTED) from None
    if len(found) not in LENGTHS:
        raise ValueError(WANTED)
    return found


def headers(
    message_id: str, timestamp: int, body: bytes, secrets: Sequence[bytes]
) -> Mapping[str, str]:
    """What a receiver verifies ``body`` by; ``timestamp`` is of the attempt, seconds of Unix."""
    if not secrets:
        raise ValueError("an event is never sent unsigned")
    signed = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(each, signed) for each in secrets),
    }


def _signature(key: bytes, signed: bytes) -> str:
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"
