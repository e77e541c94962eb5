"""Characters to what they are read as: one case, one width, no decoration, no disguise.

Each character folds by itself, whatever stands beside it, so that a position in the folded text
leads back to one in the text as sent.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

#: What str.translate takes in one call, so that other threads get their turn (about 2 ms).
SLICE = 1 << 16
#: Folds are remembered for so many characters; a text of rarer ones is only slower.
_MAX_CACHED = 20_000

_DROPPED = {"Mn", "Me", "Cf"}
#: Letters by kind but blank to the eye: Hangul fillers and the empty Braille pattern.
_BLANK = {"\u115f", "\u1160", "\u3164", "\uffa0", "\u2800"}
_NAME = re.compile(
    r".*(?:LATIN|REGIONAL INDICATOR) .*LETTER (?:SMALL CAPITAL )?([A-Z])(?: WITH .*)?\Z"
)
#: Scripts that write no spaces, so that each character is a word.
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")


def fold(text: str) -> str:
    """``text`` as it is matched. Linear; an ASCII text only changes its case."""
    if text.isascii():
        return text.lower()
    return "".join(
        text[start : start + SLICE].translate(_FOLDS) for start in range(0, len(text), SLICE)
    )


def origins(text: str) -> Sequence[int]:
    """For each position of ``fold(text)``, and its end, the position in ``text`` it came from."""
    if text.isascii():
        return range(len(text) + 1)
    places = [at for at, char in enumerate(text) for _ in _FOLDS[ord(char)]]
    return [*places, len(text)]


def plain(char: str) -> str:
    """A character without case, width, marks and format characters, or its name's Latin letter."""
    base = unicodedata.normalize("NFKD", char).casefold()
    kept = "".join(part for part in base if unicodedata.category(part) not in _DROPPED)
    named = (_NAME.match(unicodedata.name(part, "")) for part in kept)
    letters = (name[1].lower() if name else part for name, part in zip(named, kept, strict=True))
    return unicodedata.normalize("NFC", "".join(letters))


def _fold_one(char: str) -> str:
    if char in _BLANK:
        return ""
    looks = _look_alikes()
    folded = "".join(looks.get(part, part) for part in plain(looks.get(char, char)))
    return f" {folded} " if _IDEOGRAPHS.match(folded) else folded.replace("_", "*")


@lru_cache(maxsize=1)
def _look_alikes() -> dict[str, str]:
    path = Path(__file__).with_name("look_alikes.json")
    table = json.loads(path.read_text(encoding="utf-8"))["look_alikes"]
    return {source: letter for letter, sources in table.items() for source in sources}


class _Folds(dict[int, str]):
    """Code point → what it folds to, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        folded = _fold_one(chr(code))
        if len(self) < _MAX_CACHED:
            self[code] = folded
        return folded


_FOLDS = _Folds()
