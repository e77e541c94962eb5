"""The numbers of ``Retry-After`` and its like."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)


def longest(value: str) -> float | None:
    """The largest number in ``value``, a header that may have come more than once; None without.

    However many digits it has: a wait that nobody can mean is still not one of no time.
    """
    parts = map(str.strip, value.split(","))
    return max((float(part) for part in parts if _NUMBER.fullmatch(part)), default=None)
