"""Where chance comes from: the operating system's own source, asked for many bytes at a time."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from random import SystemRandom

_WORDS = 512
_BITS = 64


class SystemChance(SystemRandom):
    """As SystemRandom, whose every draw is a system call that lets go of the interpreter's lock.

    With many threads each of those is a switch to another one. Any thread may draw: no word is
    given out twice. Not for a process that forks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._words: Iterator[int] = iter(())

    def getrandbits(self, k: int, /) -> int:
        """A whole number of ``k`` random bits."""
        if not 0 < k <= _BITS:
            return super().getrandbits(k)
        word = next(self._words, None)
        if word is None:
            words = iter(struct.unpack(f"{_WORDS}Q", os.urandom(_WORDS * _BITS // 8)))
            word = next(words)
            self._words = words
        return word >> (_BITS - k)

    def random(self) -> float:
        """A number in [0, 1) with 53 random bits."""
        return self.getrandbits(53) / 2**53
