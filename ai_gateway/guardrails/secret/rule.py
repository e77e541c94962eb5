"""What a rule for a kind of secret is made of."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass

from ai_gateway.guardrails.secret.doubt import CERTAIN, random_looking

#: A secret → the share of its rule's score that it deserves: 1 for a sure one, 0 for none.
Judge = Callable[[str], float]

HEX = "[0-9a-f]"
WORD = "[0-9A-Za-z]"
URL64 = "[0-9A-Za-z_-]"
#: What could belong to a token that ends before it.
MORE = string.ascii_letters + string.digits + "_-"
#: A token begins behind what could not belong to it, or behind an escape. RE2 then follows one
#: beginning at a time: with many at once its states would multiply.
BEGIN = r"(?:^|[^0-9A-Za-z_-]|\\[nrt]|%[0-9A-Fa-f]{2})"


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of a kind of secret.

    ``hint`` and ``pattern`` are RE2: a text in which the hint does not stand is not looked at, and
    group 1 of the pattern is the secret. All hints are looked for at once, so one is made of
    literals, or of counts that begin rarely. None of ``barred`` may follow the secret. Where there
    are words in ``near``, in lower case, one must stand within 60 characters before it.
    """

    kind: str
    hint: str
    pattern: str
    score: float = CERTAIN
    judge: Judge = random_looking
    near: tuple[str, ...] = ()
    barred: str = ""


def token(
    kind: str, prefix: str, body: str, judge: Judge = random_looking, *, hint: str = ""
) -> Rule:
    """A token that its prefix gives away, with nothing behind ``body`` that could belong to it."""
    return Rule(kind, hint or prefix, f"{BEGIN}({prefix}{body})", judge=judge, barred=MORE)


def shaped(kind: str, hint: str, whole: str, judge: Judge = random_looking) -> Rule:
    """A token that shows what it is by something within it, or of no fixed length."""
    return Rule(kind, hint, f"{BEGIN}({whole})", judge=judge)


def named(kind: str, hint: str, alphabet: str, whole: str, near: tuple[str, ...]) -> Rule:
    """A token without a mark of its own, alone among ``alphabet``, behind a word that names it."""
    pattern = f"(?:^|[^{alphabet}])({whole})"
    barred = MORE if "_" in alphabet else string.ascii_letters + string.digits + "+/="
    return Rule(kind, hint, pattern, 0.9, near=near, barred=barred)
