"""What a judge model's reply says: one score, one reason, or why there is none.

The reply is text of a machine that was shown text of strangers, so nothing is guessed from it. A
verdict is a complete JSON object with a number ``score`` in 0..1 and a non-empty string
``reason``; ``"0.8"``, ``85`` and ``true`` are no scores. It may stand alone, in a code fence, after
reasoning or before closing words; inside ``<think>...</think>`` it is a thought and does not count.
If several stand there they must agree in their score, so that an object quoted from the answer
under judgement cannot pass for the judge's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_REPLY = 100_000  # characters of a reply that are read at most
MAX_REASON = 500  # characters of a reason that are kept

# A verdict stands at the end of a reply. Trying this many openings at most keeps the time linear.
_OPENINGS = 100
_OPENING = re.compile(r'\{\s*"')
_THINK = re.compile(r"</?think>")


class VerdictError(Exception):
    """A reply without a verdict; its text is a cause from a short fixed list, safe to record."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score in 0..1 and the judge's reason for it, at most MAX_REASON characters."""

    score: float
    reason: str


def parse(text: str) -> Verdict:
    """The verdict in a judge's reply; raises VerdictError, and nothing else, where there is none.

    Takes time linear in the length of ``text``, whatever stands in it.
    """
    if len(text) > MAX_REPLY:
        raise VerdictError("the reply is too long")
    claims = [found for found in _final_objects(text) if "score" in found]
    if not claims:
        raise VerdictError("the reply holds no verdict")
    flaws = [_flaw(claim) for claim in claims]
    verdicts = [_verdict(claim) for claim, flaw in zip(claims, flaws, strict=True) if not flaw]
    if not verdicts:
        raise VerdictError(flaws[-1])
    if len({verdict.score for verdict in verdicts}) > 1:
        raise VerdictError("the reply holds verdicts that contradict each other")
    return verdicts[-1]


def _final_objects(text: str) -> list[dict[str, Any]]:
    """The objects of a reply that are not part of a thought.

    A tag inside an object is somebody's words; only one between objects opens or closes a thought.
    """
    objects: list[dict[str, Any]] = []
    thinking, end = False, 0
    for start, stop, found in (*_objects(text), (len(text), len(text), {})):
        tags = _THINK.findall(text, end, start)
        if "</think>" in tags:
            objects.clear()
        thinking = tags[-1] == "<think>" if tags else thinking
        if not thinking:
            objects.append(found)
        end = stop
    if thinking:
        raise VerdictError("the reply ends within a thought")
    return objects


def _objects(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The outermost JSON objects in ``text`` with their first character and the one after."""
    end = 0
    for start in [opening.start() for opening in _OPENING.finditer(text)][-_OPENINGS:]:
        if start < end:
            continue
        try:
            found, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError:
            continue
        except RecursionError:
            raise VerdictError("the reply nests too deep") from None
        yield start, end, found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise VerdictError("a key of the verdict stands twice")
    return found


def _flaw(claim: dict[str, Any]) -> str | None:
    """What keeps ``claim`` from being a verdict."""
    score, reason = claim["score"], claim.get("reason")
    if not isinstance(score, float):
        return "the score is not a number"
    if not 0 <= score <= 1:  # NaN is not in between either
        return "the score is outside 0..1"
    if not isinstance(reason, str) or not reason.strip():
        return "the reason is missing"
    return None


def _verdict(claim: dict[str, Any]) -> Verdict:
    reason = claim["reason"].encode("utf-8", "replace").decode()
    return Verdict(claim["score"], reason.strip()[:MAX_REASON])


# Whole numbers become floats as well: true is then the only non-float that Python calls a number,
# and 10,000 digits cost no more than 10,000 characters. Not strict: models break lines in strings.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=float, strict=False)
