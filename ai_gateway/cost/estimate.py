"""Tokens where an upstream counted none, or had not counted all when its answer broke off.

A token is four bytes of UTF-8, and a message is four tokens and its text. On 61 recorded exchanges
of seven providers the median error was 11 % of the input (9 in 10 within 53 %) and 20 % of the
output (9 in 10 within 60 %); most of them are short, where it is worst. Code and languages other
than English differ more; images and tools are not counted at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ai_gateway.formats import Body, Format, Reading, Usage

_BYTES, _MESSAGE, _FRAME = 4, 4, 3
_MARK: Final = "estimated"


def complete(form: Format, body: Body, reading: Reading, *, broken: bool = False) -> Usage:
    """The usage of an answer to ``body``; what a generated answer's lacks is estimated.

    ``broken``: it ended early, unless its end was read: what is counted then is all of it.
    """
    usage, broken = reading.usage, broken and reading.finish_reason is None
    if form.reader is None or form.wordless:
        return usage
    if not (broken or usage.input is None or usage.output is None):
        return usage
    texts = once(text.text for text in form.texts(body))
    return estimate(usage, texts, reading.text, broken=broken)


def estimate(usage: Usage, texts: Sequence[str], answer: str, *, broken: bool = False) -> Usage:
    """``usage`` with what it lacks, from the request's texts and the answer's; marked in its raw.

    ``broken``: the answer ended early, so that a count of its output may be of its beginning only.
    A usage that lacks nothing is handed back as it is.
    """
    guess = _tokens(answer)
    output = usage.output
    if output is None or (broken and guess > output):
        output = guess
    whole = asked(texts) if usage.input is None else usage.input
    if (whole, output) == (usage.input, usage.output):
        return usage
    raw = dict(usage.raw or {})
    raw[_MARK] = True
    raw.pop("total_tokens", None)  # it no longer adds up
    ours, theirs = _names(raw)
    if usage.input is None:
        raw[ours] = whole
    raw[theirs] = output
    return Usage(whole, output, usage.cached, usage.reasoning, raw)


def asked(texts: Sequence[str], *, tools: str = "") -> int:
    """Tokens of a request with these texts, a message each, and ``tools`` as JSON."""
    return sum(_tokens(text) + _MESSAGE for text in texts) + _tokens(tools) + _FRAME


def is_estimate(raw: Mapping[str, Any] | None) -> bool:
    """Whether a count in ``raw`` is the gateway's guess."""
    return raw is not None and raw.get(_MARK) is True


def once(texts: Iterable[str]) -> list[str]:
    """The texts of a request but for those that only put the ones before them together."""
    kept: list[str] = []
    for text in texts:
        size, pieces = 0, 0
        while pieces < len(kept) and size < len(text):
            pieces += 1
            size += len(kept[-pieces])
        if pieces < 2 or "".join(kept[-pieces:]) != text:  # noqa: PLR2004 - a whole has parts
            kept.append(text)
    return kept


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES)


def _names(raw: Mapping[str, Any]) -> tuple[str, str]:
    """What this raw usage calls its input and its output."""
    if "input_tokens" in raw or "output_tokens" in raw:
        return "input_tokens", "output_tokens"
    return "prompt_tokens", "completion_tokens"
