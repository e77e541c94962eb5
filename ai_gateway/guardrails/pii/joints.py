"""Whether a number goes on: ``1-`` before it, ``.5`` behind it."""

from __future__ import annotations

from collections.abc import Callable


def goes_on_before(
    data: bytes, start: int, joints: bytes, sign: Callable[[bytes], bool] = bytes.isdigit
) -> bool:
    """Whether one of ``joints`` joins it to a sign before it, a digit if nothing else is said."""
    return data[max(0, start - 1) : start] in joints and sign(data[max(0, start - 2) : start][:-1])


def goes_on_behind(
    data: bytes, end: int, joints: bytes, sign: Callable[[bytes], bool] = bytes.isdigit
) -> bool:
    """Whether one of ``joints`` joins it to a sign behind it."""
    return data[end : end + 1] in joints and sign(data[end + 1 : end + 2])
