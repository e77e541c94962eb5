"""Answers to questions that mean the same, by the cosine of their embeddings.

Similar is not the same. Beside the threshold, two questions must agree in every negation, in every
word that holds more than letters (numbers, addresses, paths, names in code) and in what stands in
backticks, in their order, and must not be the same words in another order: an embedding hardly sees
such differences, and they turn an answer round. Names it does see, but not reliably.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ai_gateway.cache.exact import Cached, unpacked
from ai_gateway.cache.key import Question
from ai_gateway.cache.memory import Bounded
from ai_gateway.clock import Clock

MAX_BYTES = 64_000_000
_FLOAT = 32  # bytes of one number of a tuple
#: What stands between words, in the scripts that have marks of their own.
_MARKS = (
    r".,;:!?()\[\]{}\"“”„«»¿¡…—"
    r"\uff0c\u3002\u3001\uff1b\uff1a\uff01\uff1f\uff08\uff09\u300c\u300d\u300e\u300f\u300a\u300b\u3010\u3011\u061f\u060c\u061b\u0964"
)
_PIECE = rf"[^\s{_MARKS}]+"
#: A dot before a word may be a path's or a number's, and a mark after a digit is a factorial.
_WORD = re.compile(rf"\.{{0,3}}{_PIECE}(?:[.,:]+{_PIECE})*(?:(?<=\d)!+)?")
#: Letters alone, in no spelling that only code has.
_PLAIN = re.compile(r"(?!.*[a-z][A-Z])'*[^\W\d_]+(?:['-][^\W\d_]+)*'*")
_CODE = re.compile(r"(`{1,3}).+?\1", re.DOTALL)
_JOINTS = re.compile(r"['-]")
#: Signs that say nothing where they stand alone, unless there are numbers.
_ORNAMENTS = re.compile(r"[-\u2013'`_~|#*\u2022\u00b7]+")
_NUMBER = re.compile(r"\d")
_STRESSED = re.compile(r"(\*{1,3})([^*]+)\1")
#: What turns a sentence round, in seven languages; of contractions without their apostrophes.
_NEGATIONS = frozenset(
    (
        *("aint", "arent", "cannot", "cant", "couldnt", "darent", "didnt", "doesnt", "dont"),
        *("except", "excluding", "hadnt", "hasnt", "havent", "isnt", "maynt", "mightnt", "mustnt"),
        *("neednt", "neither", "never", "no", "nobody", "non", "none", "noone", "nor", "not"),
        *("nothing", "nowhere", "oughtnt", "shant", "shouldnt", "unless", "wasnt", "werent"),
        *("without", "wont", "wouldnt"),
        *("kein", "keine", "keinem", "keinen", "keiner", "keines", "nein", "nicht", "nichts"),
        *("nie", "niemals", "niemand", "nirgends", "ohne", "weder"),
        *("aucun", "aucune", "guère", "jamais", "n", "ne", "ni", "pas", "personne", "rien", "sans"),
        *("jamás", "nada", "nadie", "ninguna", "ninguno", "ningún", "nunca", "sin", "tampoco"),
        *("mai", "neanche", "nemmeno", "nessun", "nessuna", "nessuno", "niente", "nulla", "né"),
        *("senza", "nem", "nenhum", "nenhuma", "ninguém", "não", "sem"),
        *("geen", "nee", "nergens", "niemand", "niet", "niets", "nooit", "zonder"),
    )
)

Embed = Callable[[str], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is compared: a vector of length 1, and its words."""

    partition: str
    text: str
    vector: tuple[float, ...]
    words: tuple[str, ...]
    #: What must be the same.
    literals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """The answer to the nearest question, and the cosine of the two."""

    cached: Cached
    similarity: float


def asked(question: Question, embed: Embed) -> Asked | None:
    """``question`` with its embedding; None where ``embed`` gives none that has a direction."""
    vector = embed(question.text)
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        return None
    plain = unicodedata.normalize("NFC", question.text)
    found = _WORD.findall(plain.replace("\u2018", "'").replace("\u2019", "'"))
    sums = _NUMBER.search(plain) is not None
    words = [_STRESSED.sub(r"\2", word) for word in found if sums or not _ORNAMENTS.fullmatch(word)]
    code = [found[0] for found in _CODE.finditer(question.text)]
    return Asked(
        partition=question.partition,
        text=question.text,
        vector=tuple(value / length for value in vector),
        words=tuple(word.casefold() for word in words),
        literals=(*code, *filter(None, map(_literal, words))),
    )


def _literal(word: str) -> str | None:
    """What must be the same of ``word``: of most nothing, of a negation all but its case."""
    if not _PLAIN.fullmatch(_letters(word)):
        return word
    parts = _JOINTS.split(word.casefold())
    whole = "".join(parts)
    return None if _NEGATIONS.isdisjoint((whole, *parts)) else whole


def _letters(word: str) -> str:
    """``word`` without the signs that some scripts write vowels with, which are no letters."""
    if word.isascii():
        return word
    return "".join(each for each in word if not unicodedata.category(each).startswith("M"))


class SemanticCache:
    """The newest questions of each partition with their answers, compared one by one.

    A comparison takes about 10 µs at 1,024 dimensions, and a question about 33 KB.
    """

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._held: Bounded[tuple[Asked, bytes]] = Bounded(clock, max_bytes)

    def find(self, sought: Asked, threshold: float) -> Hit | None:
        """The answer to the nearest question of the same partition, at ``threshold`` or above."""
        # Of unit vectors: |a - b|² = 2 - 2 cos. Rounding must not turn the same text away.
        best, found = math.sqrt(2 - 2 * threshold) + 1e-9, None
        for known, data in self._held.values(sought.partition):
            if len(known.vector) != len(sought.vector):
                continue
            distance = math.dist(sought.vector, known.vector)
            if distance <= best and _agree(sought, known):
                best, found = distance, data
        cached = None if found is None else unpacked(found)
        return None if cached is None else Hit(cached, 1 - best * best / 2)

    def put(self, question: Asked, data: bytes, ttl: float, entries: int = 1000) -> None:
        """Keep a packed answer for ``ttl`` seconds, among the ``entries`` newest questions."""
        size = len(question.vector) * _FLOAT + 4 * len(question.text) + len(data)
        value, group = (question, data), question.partition
        self._held.set(group, question.text, value, size=size, ttl=ttl, entries=entries)

    def forget(self) -> None:
        """Let go of all questions: a partition does not tell whose it is."""
        self._held.forget()


def _agree(one: Asked, other: Asked) -> bool:
    if one.literals != other.literals:
        return False
    return one.words == other.words or sorted(one.words) != sorted(other.words)
