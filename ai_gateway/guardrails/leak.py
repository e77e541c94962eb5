"""What a text has of another one: a string in disguise, or words in the same order."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import re2

from ai_gateway.guardrails.fold import fold
from ai_gateway.guardrails.linear import compiled, searchable
from ai_gateway.guardrails.normalise import Normalised

#: Words that are compared at once: fewer stand together by chance.
_GRAM: Final = 5
#: So many words in a row are a leak, whatever the prompt's length.
_CERTAIN: Final = 25
#: What is read of a prompt, and how often the same words of it are told apart.
_MOST_WORDS: Final = 20_000
_MOST_PLACES: Final = 4
#: Characters of a canary that tell whether it is worth to look for all of it.
_BEGIN: Final = 12
_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())
#: base64 for URLs to the usual one.
_USUAL = str.maketrans("-_", "+/")
#: Where the characters of base64 that are a string's alone begin, by the bytes before it (mod 3).
_ALONE_FROM: Final = (0, 2, 3)

Place = tuple[int, int]


def squashed(text: str) -> str:
    """The letters and digits of ``text``, folded."""
    return _letters(fold(text))


def _letters(folded: str) -> str:
    if folded.isascii():
        return folded.encode().translate(None, _SIGNS).decode()
    return "".join(filter(str.isalnum, folded))


class Canaries:
    """Strings that are found as they are, in any case and width, taken apart, backwards, in base64.

    Whether any of them stands in a text takes one pass.
    """

    __slots__ = ("_any_encoded", "_any_written", "_each")

    def __init__(self, canaries: Sequence[str]) -> None:
        plain = [squashed(canary) for canary in canaries]
        written = [(canary, canary[::-1]) for canary in plain]
        encoded = [tuple(_encodings(canary.encode())) for canary in canaries]
        self._each = list(zip(written, encoded, strict=True))
        self._any_written = _any(written)
        self._any_encoded = _any(encoded)

    def places(self, text: Normalised) -> Iterator[Place]:
        """Where each that there is stands first, in the source of ``text``."""
        letters = _letters(text.folded)
        bare = searchable("".join(text.source.split()).translate(_USUAL))
        if not (self._any_written.search(letters) or self._any_encoded.search(bare)):
            return
        for written, encoded in self._each:
            if found := _first(written, letters):
                yield text.place(*_back(text.folded, str.isalnum, found))
            elif found := _first(encoded, bare):
                yield _back(text.source, lambda sign: not sign.isspace(), found)


def _any(needles: Iterable[Iterable[str]]) -> Any:
    """A pattern of the beginnings: RE2 is fast as long as a pattern is small."""
    begin = {needle[:_BEGIN] for each in needles for needle in each}
    return compiled("|".join(map(re2.escape, sorted(begin))))


def _encodings(data: bytes) -> Iterator[str]:
    """``data`` in base64, without what depends on its neighbours, for each way to align it."""
    for before, begin in enumerate(_ALONE_FROM):
        end = (before + len(data)) * 8 // 6
        yield b64encode(b"\0" * before + data).decode()[begin:end]


def _first(needles: Sequence[str], text: str) -> Place | None:
    for needle in needles:
        if (at := text.find(needle)) >= 0:
            return at, at + len(needle)
    return None


def _back(text: str, kept: Callable[[str], bool], place: Place) -> Place:
    """A place among the characters of ``text`` that were kept, as one in ``text``."""
    places = [at for at, sign in enumerate(text) if kept(sign)]
    return places[place[0]], places[place[1] - 1] + 1


class Overlap(NamedTuple):
    """How much of a prompt stands in a text (0..1), and its longest run of words there."""

    score: float
    first: int
    last: int


def shared(prompt: Sequence[str], words: Sequence[str]) -> Overlap:
    """What ``words`` have of ``prompt``.

    The score is 1 - (1 - share) * (1 - run): of the prompt's sequences of five words, the share
    that stands in the words; and the longest run in common, of 25 words or the prompt's length if
    that is less. Time is linear in both.
    """
    places = _places(prompt[:_MOST_WORDS])
    seen: set[tuple[str, ...]] = set()
    runs: dict[int, int] = {}
    longest = end = 0
    for at, gram in enumerate(_grams(words)):
        if gram not in places:
            runs = {}
            continue
        seen.add(gram)
        runs = {place: runs.get(place - 1, 0) + 1 for place in places[gram]}
        run = max(runs.values())
        if run > longest:
            longest, end = run, at
    if not longest:
        return Overlap(0.0, 0, 0)
    share = len(seen) / len(places)
    row = min(1.0, (longest + _GRAM - 1) / min(_CERTAIN, len(prompt)))
    score = round(1 - (1 - share) * (1 - row), 4)
    return Overlap(score, end - longest + 1, end + _GRAM - 1)


def _places(words: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, gram in enumerate(_grams(words)):
        if len(places[gram]) < _MOST_PLACES:
            places[gram].append(at)
    return dict(places)


def _grams(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[at:] for at in range(_GRAM)), strict=False)
