"""``topic``: what a text is about, by which words stand near which others.

A rule names lists of words that must stand in its order within a window ("make" before "bomb");
what stands in ``ignore`` ("bath bomb") counts for nothing; what stands near a finding can make it
more or less likely. A word alone is never enough, unless a rule says so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.inflect import forms
from ai_gateway.guardrails.lexicon import Lexicon, Phrase
from ai_gateway.guardrails.normalise import Normalised, words_of
from ai_gateway.guardrails.scene import Scene
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Name

Phrases = Annotated[tuple[Phrase, ...], Field(max_length=1_000)]
Place = tuple[int, int]  # first word, last word


class Rule(Closed):
    """What must stand together, and how sure that makes us."""

    name: Name
    needs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=5)] = Field(
        description="Lists, in the order in which a phrase of each must stand; texts are searched"
        " for the last one's words first, so the rarest stands there where it can."
    )
    window: int = Field(8, ge=1, le=50, description="Words from the first of them to the last.")
    score: float = Field(gt=0, le=1)


class Adjustment(Closed):
    """What changes the score of a finding that it stands near to."""

    near: Name = Field(description="A list.")
    by: float = Field(ge=-1, le=1)
    window: int = Field(20, ge=1, le=200, description="Words before or after the finding.")


class Parameters(Check):
    """Phrases are written in their base form; -s and -ing forms are found too."""

    type: Literal["topic"]
    lists: dict[Name, Phrases]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=100)]
    ignore: Phrases = ()
    adjust: tuple[Adjustment, ...] = ()

    @model_validator(mode="after")
    def _known_lists(self) -> Parameters:
        named = [name for rule in self.rules for name in rule.needs]
        named += [adjustment.near for adjustment in self.adjust]
        if unknown := [name for name in named if not self.lists.get(name)]:
            raise ValueError(f"a list with words for each of: {', '.join(dict.fromkeys(unknown))}")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields each rule at most once, and stops looking where one is certain."""
    inflected = {
        name: {form for phrase in phrases for form in forms(phrase.lower())}
        for name, phrases in {**parameters.lists, _IGNORE: parameters.ignore}.items()
    }
    lexicon = Lexicon(inflected)
    anchors = _anchors(parameters, inflected)
    reach = max(rule.window for rule in parameters.rules)
    reach += max((adjustment.window for adjustment in parameters.adjust), default=0) + _MARGIN

    def find(text: Normalised, _scene: Scene) -> Iterable[Finding]:
        words = text.words
        return () if anchors.isdisjoint(words) else search(text, words)

    def search(text: Normalised, words: Sequence[str]) -> Iterator[Finding]:
        found: dict[str, _Found] = {}
        for start, stop in _regions([i for i, w in enumerate(words) if w in anchors], reach):
            for rule, score, first, last in _search(parameters, lexicon, words[start:stop]):
                if rule not in found or score > found[rule][0]:
                    found[rule] = score, start + first, start + last
            if any(score >= parameters.threshold for score, _, _ in found.values()):
                break
        for rule, (score, first, last) in found.items():
            # To find a place costs as much as to find a topic; below the threshold nobody asks.
            counts = score >= parameters.threshold
            yield Finding(rule, score, *(text.span(first, last) if counts else (0, 0)))

    return Matcher(find, vocabulary=lexicon.vocabulary)


_Found = tuple[float, int, int]  # score, first and last word
#: No list of a policy can have this name.
_IGNORE = ""
#: Words by which a phrase can stand out of a window.
_MARGIN = 16
#: Words that are searched at once.
_REGION = 1_000


def _anchors(parameters: Parameters, lists: Mapping[str, set[str]]) -> frozenset[str]:
    """Words without which no rule finds anything: the longest of each phrase of its last list."""
    objects = {rule.needs[-1] for rule in parameters.rules}
    phrases = (words_of(phrase) for name in objects for phrase in lists[name])
    return frozenset(max(words, key=len) for words in phrases)


def _regions(anchors: Sequence[int], reach: int) -> Iterator[Place]:
    """The parts of a text that can matter: from ``reach`` words before a word to as many after."""
    index = 0
    while index < len(anchors):
        first = last = anchors[index]
        while index < len(anchors) and anchors[index] <= min(last + reach, first + _REGION):
            last = anchors[index]
            index += 1
        yield max(first - reach, 0), last + reach


def _search(
    parameters: Parameters, lexicon: Lexicon, words: Sequence[str]
) -> Iterator[tuple[str, float, int, int]]:
    places = _places(lexicon, words)
    for rule in parameters.rules:
        if all(places.get(need) for need in rule.needs) and (
            found := _best(parameters, rule, places)
        ):
            yield rule.name, *found


def _places(lexicon: Lexicon, words: Sequence[str]) -> dict[str, list[Place]]:
    """Where the lists' phrases stand, in order, without those that are to be ignored."""
    places: dict[str, list[Place]] = {}
    for name, first, last in lexicon.occurrences(words):
        places.setdefault(name, []).append((first, last))
    ignored = {at for first, last in places.pop(_IGNORE, ()) for at in range(first, last + 1)}
    if not ignored:
        return places
    return {
        name: [place for place in found if not ignored.issuperset(range(place[0], place[1] + 1))]
        for name, found in places.items()
    }


def _best(parameters: Parameters, rule: Rule, places: Mapping[str, list[Place]]) -> _Found | None:
    """The first place over the threshold, else the best."""
    best: _Found | None = None
    for first, last in _together(rule, places):
        score = _adjusted(rule.score, parameters.adjust, places, first, last)
        if best is None or score > best[0]:
            best = score, first, last
        if score >= parameters.threshold:
            break
    return best


def _together(rule: Rule, places: Mapping[str, list[Place]]) -> Iterator[Place]:
    """Where everything that ``rule`` needs stands in its order, within its window."""
    for start, last in places[rule.needs[-1]]:
        first = start
        for need in reversed(rule.needs[:-1]):
            before = _latest_before(places[need], first)
            if before is None or start - before > rule.window:
                break
            first = before
        else:
            yield first, last


def _latest_before(places: Sequence[Place], at: int) -> int | None:
    """The first word of the latest place that ends before ``at``."""
    for index in range(bisect_left(places, (at, 0)) - 1, -1, -1):
        first, last = places[index]
        if last < at:
            return first
    return None


def _adjusted(
    score: float,
    adjustments: Sequence[Adjustment],
    places: Mapping[str, list[Place]],
    first: int,
    last: int,
) -> float:
    for adjustment in adjustments:
        near = places.get(adjustment.near, ())
        index = bisect_left(near, (first - adjustment.window, 0))
        if index < len(near) and near[index][0] <= last + adjustment.window:
            score += adjustment.by
    return round(min(max(score, 0.0), 1.0), 4)
