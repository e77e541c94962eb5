"""Ids that sort by time: UUID version 7 (RFC 9562), as 32 hex digits.

48 bits of milliseconds, 12 bits of their fraction (the RFC's method 3: 244 ns a step, about what a
double still tells of today's time) and 62 random bits, so that ids drawn in the same step differ.
"""

from __future__ import annotations

from random import Random

from ai_gateway.clock import Clock

_STEPS = 1000 * 4096  # a second, in steps of 1/4096 ms
_VERSION = 7 << 76
_VARIANT = 0b10 << 62


def new_id(clock: Clock, random: Random) -> str:
    """A new id; ids of one clock sort in the order in which they were made."""
    milliseconds, fraction = divmod(int(clock.now() * _STEPS), 4096)
    number = milliseconds << 80 | _VERSION | fraction << 64 | _VARIANT | random.getrandbits(62)
    return f"{number:032x}"
