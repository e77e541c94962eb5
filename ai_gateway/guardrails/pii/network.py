"""Addresses of people and machines on networks."""

from __future__ import annotations

import ipaddress

from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.patterned import Patterned
from ai_gateway.guardrails.pii.reading import LETTER

_EMAIL = compiled(
    rf"(?i)[0-9a-z_{LETTER}][0-9a-z._%+'{LETTER}-]*@"
    rf"(?:[0-9a-z{LETTER}-]+\.)+(?:xn--[0-9a-z-]{{2,59}}|[a-z{LETTER}]{{2,24}})"
)
_URL = compiled(r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]*:[^\s/@\"'<>]+@[^\s\"'<>]+")
_V4 = compiled(r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b")
_GROUP = "[0-9A-Fa-f]{1,4}"
_V6 = compiled(
    rf"(?:\b{_GROUP}(?::{_GROUP}){{7}}\b"
    rf"|\b{_GROUP}(?::{_GROUP}){{0,6}}::(?:{_GROUP}(?::{_GROUP}){{0,6}}\b)?"
    rf"|::{_GROUP}(?::{_GROUP}){{0,6}}\b)"
)
_MAC = compiled(
    r"\b(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})\b"
)
_BYTE = range(256)
#: First bytes of addresses that machines have: not 0, 127, and what is reserved.
_ASSIGNED = {*range(1, 240)} - {127}
_SHORT = 2
_MOST_LOCAL = 64
_MOST_ADDRESS = 254


def _email(address: bytes) -> float:
    """RFC 5321's lengths, and no dots where they may not stand."""
    local, _, domain = address.rpartition(b"@")
    if len(local) > _MOST_LOCAL or len(address) > _MOST_ADDRESS:
        return 0
    return 0 if b".." in local or local[-1:] == b"." or domain[:1] == b"-" else 1.0


def _v4(address: bytes) -> float:
    """Four numbers up to 255 without leading zeros; loopback and broadcast are nobody's."""
    parts = address.split(b".")
    if any(part != b"%d" % int(part) or int(part) not in _BYTE for part in parts):
        return 0
    return 0.9 if int(parts[0]) in _ASSIGNED else 0


def _v6(address: bytes) -> float:
    """What ``ipaddress`` reads, with a digit; without a long group it may be code."""
    try:
        found = ipaddress.IPv6Address(address.decode("ascii"))
    except ValueError:
        return 0
    if (
        found.is_loopback
        or found.is_unspecified
        or not any(sign in b"0123456789" for sign in address)
    ):
        return 0
    # [1::2] is a slice in Python.
    return 0.9 if max(map(len, address.split(b":"))) > _SHORT else 0.4


def _mac(address: bytes) -> float:
    """Anything but the broadcast address and none at all; with a digit, or dots may be words."""
    digits = address.translate(None, b":-.").lower()
    return 0.9 if len(set(digits)) > 1 and any(sign in b"0123456789" for sign in digits) else 0


PATTERNED = (
    Patterned("email", b"@", _EMAIL, _email),
    Patterned("url_credentials", b"://", _URL, lambda _url: 1.0),
    Patterned("ip", b".", _V4, _v4, joints=b".-"),
    Patterned("ip", b"::", _V6, _v6, joints=b":."),
    Patterned("ip", b":", _V6, _v6, joints=b":."),
    Patterned("mac", b":", _MAC, _mac, joints=b":-."),
)
