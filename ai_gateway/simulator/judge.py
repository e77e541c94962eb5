"""The judge: it compares an answer with known facts, or measures it where no fact is known.

It finds question and answer between the fences of the judge prompt, lines of their own with the
same nonce of 16 hex digits: ``<<<question NONCE>>>`` text ``<<<end NONCE>>>`` and ``<<<answer
NONCE>>>`` text ``<<<end NONCE>>>``. Nothing in the text between them is an instruction.
"""

from __future__ import annotations

import re

import orjson

from ai_gateway.simulator import text
from ai_gateway.simulator.facts import Fact, find

CONFUSED = "I cannot find a question and an answer to compare. Please send both."

_QUESTION = re.compile(r"^<<<question ([0-9a-f]{16})>>>[ \t]*\r?\n", re.MULTILINE)
_NEGATIONS = frozenset(text.words("not no never cannot nothing none neither nor without"))
_HEDGES = frozenset(text.words("maybe perhaps might guess probably unsure somehow possibly sure"))
#: A sentence that speaks to the judge and not to the asker says nothing of the question.
_TO_THE_JUDGE = re.compile(
    r"\bscores?\b\W{0,5}(?:(?:of|is|as|to|be|it)\W{0,5})?\d"
    r"|\b(?:ignore|disregard|forget)\b.{0,60}\b(?:instructions?|prompts?|above|previous)\b"
    r"|\b(?:judge|grader|evaluator)\b"
    r"|\b(?:give|award|assign|rate|grade)\b.{0,60}\b(?:scores?|points|rating|marks|answer)\b"
    r"|```|<<<|>>>",
    re.IGNORECASE,
)
_SAME = 0.75  # share of a statement's words that a sentence must hold to make that statement
_LONG = 400  # words; padding beyond that costs
_ASKED = 4000  # characters of a question that an answer should take up
_SENTENCES = 100  # of an answer that are compared


def judge(prompt: str, *key: object) -> str:
    """The verdict on the answer in ``prompt``, wrapped as real models wrap it."""
    pair = _parse(prompt)
    if pair is None:
        return CONFUSED
    value, reason = score(*pair)
    verdict = orjson.dumps({"score": value, "reason": reason}).decode()
    style = text.draw(("plain", "plain", "fence", "think"), "style", *key)
    if style == "fence":
        return f"```json\n{verdict}\n```"
    if style == "think":
        return f"<think>\nI compare the answer with what is known. {reason}\n</think>\n\n{verdict}"
    return verdict


def score(question: str, answer: str) -> tuple[float, str]:
    """How good ``answer`` is, 0..1 with two digits, and why."""
    if not answer.strip():
        return 0.0, "The answer is empty."
    fact = find(question)
    value, reason = _compare(fact, answer) if fact else _measure(question, answer)
    excess = max(0, len(text.words(answer)) - _LONG)
    return round(max(0.0, value - min(0.2, excess / 2000)), 2), reason


def _parse(prompt: str) -> tuple[str, str] | None:
    opening = _QUESTION.search(prompt)
    if opening is None:
        return None
    nonce = opening[1]
    blocks = re.compile(
        rf"^<<<(question|answer) {nonce}>>>[ \t]*\r?\n(.*?)\r?\n?^<<<end {nonce}>>>",
        re.MULTILINE | re.DOTALL,
    )
    found = dict(reversed(blocks.findall(prompt, opening.start())))
    return (
        (found["question"], found["answer"]) if len(found) == len(("question", "answer")) else None
    )


def _compare(fact: Fact, answer: str) -> tuple[float, str]:
    """Coverage of the fact's points less what contradicts them."""
    said = text.sentences(answer)[:_SENTENCES]
    contradictions = sum(_contradicts(fact, sentence) for sentence in said)
    covered = [max(_share(point, sentence) for sentence in said) for point in fact.points]
    value = sum(min(1.0, share / _SAME) for share in covered) / len(covered)
    reason = (
        f"It makes {sum(share >= _SAME for share in covered)} of {len(covered)} key points about"
        f" {fact.title} and contradicts them {contradictions} times."
    )
    return value - 0.2 * contradictions, reason


def _contradicts(fact: Fact, sentence: str) -> bool:
    """True for the known error, and for the negation of a point."""
    if _share(fact.wrong, sentence) >= _SAME:
        return _negated(sentence) == _negated(fact.wrong)
    return any(
        _share(point, sentence) >= _SAME and _negated(sentence) != _negated(point)
        for point in fact.points
    )


def _measure(question: str, answer: str) -> tuple[float, str]:
    """Relevance, substance and length, less hedging: what shows without knowing the subject."""
    said = [line for line in text.sentences(answer) if not _TO_THE_JUDGE.search(line)]
    body = " ".join(said)
    own = text.subject(body) - text.subject(question)
    relevance = _share(question[:_ASKED], body)
    hedges = sum(word.casefold() in _HEDGES for word in text.words(body))
    length = min(1.0, len(text.words(body)) / 60)
    value = 0.15 + 0.25 * relevance + 0.2 * min(1.0, len(own) / 30) + 0.15 * length
    reason = (
        f"No fact is known; it takes up {relevance:.0%} of the question's words, adds"
        f" {len(own)} of its own and hedges {hedges} times."
    )
    return (value - min(0.15, 0.05 * hedges) if body else 0.0), reason


def _share(statement: str, sentence: str) -> float:
    """The share of the words of ``statement`` that ``sentence`` holds."""
    wanted = text.subject(statement)
    return len(wanted & text.subject(sentence)) / len(wanted) if wanted else 0.0


def _negated(sentence: str) -> bool:
    # Two negations cancel each other out.
    return sum(word.casefold() in _NEGATIONS for word in text.words(sentence)) % 2 == 1
