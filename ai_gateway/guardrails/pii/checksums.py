"""Check digits. All take ASCII digits as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from operator import mul

_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(bytes(range(10)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def values(digits: bytes) -> bytes:
    """Digits as numbers 0..9."""
    return digits.translate(_VALUES)


def luhn(digits: bytes) -> bool:
    """ISO/IEC 7812-1, annex B."""
    backwards = digits.translate(_VALUES)[::-1]
    return (sum(backwards[::2]) + sum(backwards[1::2].translate(_DOUBLED))) % 10 == 0


def weighted(digits: bytes, weights: Sequence[int]) -> int:
    """The sum of each digit times its weight, of as many as there are weights."""
    return sum(map(mul, digits.translate(_VALUES), weights))


def mod_11_10(digits: bytes) -> bool:
    """ISO/IEC 7064, MOD 11,10."""
    product = 10
    for digit in values(digits[:-1]):
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (product + digits[-1] - ord("0")) % 10 == 1


def mod_97(code: bytes) -> int:
    """ISO/IEC 7064, MOD 97-10, of digits and capital letters (A is 10)."""
    return int("".join(map(_PAIRS.__getitem__, code))) % 97


_PAIRS = {ord(sign): str(int(sign, 36)) for sign in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def verhoeff(digits: bytes) -> bool:
    """Verhoeff's dihedral check (Error detecting decimal codes, 1969)."""
    check = 0
    for row, digit in zip(cycle(_PERMUTED), reversed(values(digits)), strict=False):
        check = _PRODUCT[check][row[digit]]
    return check == 0


def _times(first: int, second: int) -> int:
    """The product of two of the ten symmetries of a pentagon: 0-4 rotate, 5-9 also mirror."""
    mirrored, turns = divmod(first, 5)
    return (turns - second if mirrored else turns + second) % 5 + 5 * (mirrored ^ second // 5)


_PRODUCT = [bytes(_times(first, second) for second in range(10)) for first in range(10)]
_PERMUTED = [bytes(range(10)), bytes((1, 5, 7, 6, 2, 8, 3, 0, 9, 4))]
for _ in range(6):
    _PERMUTED.append(_PERMUTED[-1].translate(bytes.maketrans(_PERMUTED[0], _PERMUTED[1])))
