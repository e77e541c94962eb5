"""Where phrases stand in a text, all of them in one pass over its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from ai_gateway.guardrails.normalise import words_of


def _says_something(phrase: str) -> str:
    if not words_of(phrase):
        raise ValueError("a phrase with a letter or a digit in it")
    return phrase


Phrase = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(_says_something),
]


class Lexicon:
    """Phrases with what each stands for, found by their first two words."""

    __slots__ = ("_by_first", "_longer", "vocabulary")

    def __init__(self, phrases: Mapping[str, Iterable[str]]) -> None:
        """``phrases``: a name → its phrases, as an operator writes them."""
        #: First word → names of which it is the whole phrase.
        self._by_first: dict[str, list[str]] = {}
        #: First and second word → the whole phrases.
        self._longer: dict[tuple[str, ...], list[tuple[list[str], str]]] = {}
        split = [(words_of(phrase), name) for name in phrases for phrase in phrases[name]]
        for words, name in split:
            alone = self._by_first.setdefault(words[0], [])
            if len(words) == 1:
                alone.append(name)
            else:
                self._longer.setdefault((words[0], words[1]), []).append((words, name))
        self.vocabulary = frozenset(word for words, _ in split for word in words)

    def occurrences(self, words: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Each place as (name, first word, last word), in the order of their first words."""
        by_first, longer = self._by_first, self._longer
        for at in [i for i, word in enumerate(words) if word in by_first]:
            for name in by_first[words[at]]:
                yield name, at, at
            for phrase, name in longer.get(tuple(words[at : at + 2]), ()):
                stop = at + len(phrase)
                if words[at:stop] == phrase:
                    yield name, at, stop - 1
