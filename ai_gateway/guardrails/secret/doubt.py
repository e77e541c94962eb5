"""What tells a secret from something that only stands where one would."""

from __future__ import annotations

from itertools import pairwise
from math import log2

import re2

CERTAIN = 1.0
#: The share of a score that a wrong checksum leaves: below every sensible threshold.
UNLIKELY = 0.3

#: What documents write in place of a secret. Of random tokens one in 10,000 has it, at most.
_FILLERS = (
    "example|x{5}|(?-i:your|Your|YOUR)|placeholder|redacted|changeme|dummy|sample|insert|replace|12345678"
    "|23456789|abcdefgh|00000000|[.]{4}|[*]{4}"
)
_FILLER = re2.compile(f"(?i){_FILLERS}")
#: Words that stand where a password would, references to one, and paths.
_OTHER = re2.compile(
    r"(?i)^(?:(?:my)?pass(?:word|wd|phrase)?|pwd|secret|token|key|apikey|credentials|null|none|nil"
    "|undefined|true|false|required|optional|string|str|int|todo|test|user|username|root|admin"
    r"|guest|postgres|mysql|default|[$]\w+|%\w+%|<.*|[{\[].*|[.~]?/.*/.*|[.~]/.*)$"
    rf"|[$][{{(]|{{{{|<%|%[(]|process[.]env|environ|getenv|secrets[.]|vault:|://|{_FILLERS}"
)
_WORD = "(?:[A-Z]*[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+)?[0-9]{0,3}"
#: Names of several words, with at most a number: ``my-service-2``; and of a program: ``rsa2.Key1``.
_NAME = re2.compile(
    rf"[\W_]*[A-Za-z]{_WORD}(?:[-_./:\s]+{_WORD})*|[a-z_][a-z0-9_]*(?:[.][a-z0-9_]+)*[.][A-Z][a-z]\w*"
)
_FEWEST = 8
_SHORTEST = 3
#: So many letters alone are random where the case changes at every third and both are frequent.
_LONG = 16
_CHANGES = 0.35
_RARER_CASE = 0.25
#: So many spaces make a sentence.
_SENTENCE = 2


def entropy(text: str) -> float:
    """Shannon's entropy of the characters, in bits a character."""
    if len(set(text)) == len(text):
        return log2(len(text)) if text else 0.0
    shares = [text.count(char) / len(text) for char in set(text)]
    return -sum(share * log2(share) for share in shares)


def is_filler(text: str) -> bool:
    """Whether a text has what documents write in place of a secret."""
    return _FILLER.search(text) is not None


def random_looking(secret: str) -> float:
    """Sure, unless it repeats few characters or says that it is an example."""
    varied = len(set(secret[-40:])) >= _FEWEST
    return CERTAIN if varied and not is_filler(secret) else 0.0


def mixed(secret: str) -> float:
    """As ``random_looking``, with both cases and a digit or a plus: no hash, no name, no path."""
    both = any(map(str.islower, secret)) and any(map(str.isupper, secret))
    other = "+" in secret or any(map(str.isdigit, secret))
    return random_looking(secret) if both and other else 0.0


def password(value: str) -> float:
    """Sure, unless it is a placeholder or a reference: where only a password can stand."""
    if len(value.strip("*.xX-_ ")) < _SHORTEST or _OTHER.search(value):
        return 0.0
    return CERTAIN


def unguessable(value: str, bits: float) -> float:
    """Sure, if it is no word or name, and has ``bits`` of entropy a character."""
    if value.isalpha() and not _random_letters(value):
        return 0.0
    # No text has more entropy than one whose characters are all equally frequent.
    if value.isnumeric() or log2(len(set(value))) < bits or entropy(value) < bits:
        return 0.0
    if not password(value):
        return 0.0
    # One word with a number at its end is a password that people make: hunter2.
    named = not value.isalnum() and (_NAME.fullmatch(value) or value.count(" ") >= _SENTENCE)
    return 0.0 if named else CERTAIN


def _random_letters(value: str) -> bool:
    if len(value) < _LONG:
        return False
    upper = [char.isupper() for char in value]
    changes = sum(one is not other for one, other in pairwise(upper))
    rarer = min(sum(upper), len(value) - sum(upper))
    return changes >= _CHANGES * len(value) and rarer >= _RARER_CASE * len(value)
