"""Vehicle identification numbers (ISO 3779, with the check digit of 49 CFR 565)."""

from __future__ import annotations

from operator import mul

from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.patterned import Patterned

_PATTERN = compiled(r"(?i)\b[A-HJ-NPR-Z0-9]{11}[A-Z0-9]{2}[0-9]{4}\b")
_VALUES = bytes.maketrans(
    b"0123456789ABCDEFGHJKLMNPRSTUVWXYZ",
    bytes((*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10))),
)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK = b"0123456789X"


def is_vin(code: bytes) -> bool:
    """Seventeen signs with a letter, the ninth of which checks the others."""
    total = sum(map(mul, code.translate(_VALUES), _WEIGHTS))
    return not code.isdigit() and _CHECK[total % 11] == code[8]


PATTERNED = (
    Patterned(
        "vin",
        b"",
        _PATTERN,
        lambda code: 0.4 if is_vin(code.upper()) else 0,
        words=("vin", "chassis", "vehicle identification", "vehicle", "car", "fahrgestellnummer"),
    ),
)
