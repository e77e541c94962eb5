"""One recorded request as a page for a person: what was asked, who could answer, who did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ai_gateway.cli.output import cell, table

Row = Mapping[str, Any]
#: Characters of a text that a page shows.
_LONGEST: Final = 2000
_VERDICT: Final = ("stage", "policy", "check", "rule", "action", "mode", "score")
_CANDIDATE: Final = ("model", "probability", "score", "interval", "cost", "excluded", "chosen")
_ATTEMPT: Final = ("model", "status", "latency_ms", "waited_ms", "error", "endpoint")
_SCORE: Final = ("judged_at", "judge", "prompt", "outcome", "score", "reason", "error")
_FEEDBACK: Final = ("created_at", "rater", "thumb", "score", "preferred", "guardrail", "rule")
_KEPT: Final = {
    "none": "not recorded: the route's privacy is none",
    "hashed": "as a digest: the route's privacy is hashed",
    "redacted": "redacted, as the route's privacy says",
}


def page(found: Row) -> str:
    """What the gateway tells of one request, in sections; nothing in it steers the terminal."""
    row: Row = found["request"]
    sections = (
        ("request", _pairs(_asked(row))),
        ("input", _text(row, "input")),
        ("guardrails", _guardrails(row)),
        ("choice", _choice(row, found.get("derived"))),
        ("attempts", _listed(row.get("attempts") or (), _ATTEMPT)),
        ("output", _text(row, "output")),
        ("cost and time", _pairs(_cost(row))),
        ("judge", _listed(found["scores"], _SCORE)),
        ("feedback", _listed(found["feedback"], _FEEDBACK)),
        ("decided by", _pairs(_by(row))),
    )
    return "\n".join(f"{name.upper()}\n{_indented(lines)}" for name, lines in sections)


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"  {each}".rstrip() + "\n" for each in lines)


def _asked(row: Row) -> dict[str, Any]:
    names = ("request_id", "client_request_id", "received_at", "route", "surface")
    more = ("tenant", "team", "key_id", "model_requested", "status", "error")
    path = f"{row.get('method') or ''} {row.get('path') or ''}".strip()
    return {**_some(row, names), "path": path or None, **_some(row, more)}


def _cost(row: Row) -> dict[str, Any]:
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost", "saved")
    times = ("latency_ms", "overhead_ms", "time_to_first_token_ms")
    return _some(row, (*names, "cache", "similarity", "answered_before", *times, "finish_reason"))


def _by(row: Row) -> dict[str, Any]:
    names = ("manifest_hash", "policies_hash", "weights_id", "gateway_version", "response_digest")
    return _some(row, (*names, "simulated"))


def _some(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: row.get(name) for name in names}


def _pairs(values: Row) -> Iterator[str]:
    """A line each; what is not known is left out."""
    for name, value in values.items():
        if value is not None:
            yield f"{name:<22}  {cell(value)}"


def _text(row: Row, name: str) -> Iterator[str]:
    text, kept = row.get(name), _KEPT.get(row.get("privacy") or "")
    if kept:
        yield f"({kept})"
    if text is None:
        yield from () if kept else ("none",)
        return
    for line in text[:_LONGEST].splitlines():
        yield cell(line)
    if len(text) > _LONGEST:
        yield f"... {len(text) - _LONGEST} characters more: --format json has them"


def _guardrails(row: Row) -> Iterator[str]:
    policies = ", ".join(map(cell, row.get("policies") or ())) or "none"
    verdicts = row.get("verdicts") or ()
    yield f"policies: {policies}"
    if not verdicts:
        yield "nothing was found"
        return
    yield from _listed(verdicts, _VERDICT)


def _choice(row: Row, derived: Row | None) -> Iterator[str]:
    chosen = row.get("chosen")
    if chosen is None:
        yield from _pairs(_some(row, ("selection",)))
        yield "no model was chosen"
        return
    yield from _pairs(_some(row, ("selection", "routing", "explore")))
    candidates = [_candidate(each, chosen) for each in row.get("candidates") or ()]
    yield from _listed(candidates, _CANDIDATE)
    yield from _pairs(_some(row, ("chosen", "propensity", "seed", "served")))
    if derived is not None:
        yield cell(derived["said"]) + _BY[derived["by"] == "rule"]


#: How a choice was derived again, by whether the bundle is still the same.
_BY: Final = (
    " (from its recorded probabilities: the bundle is another one by now)",
    " (from its scores and seed, by the route's rule)",
)


def _candidate(candidate: Row, chosen: object) -> Row:
    low, high = candidate.get("score_low"), candidate.get("score_high")
    interval = None if low is None or high is None else f"{low:.3g} to {high:.3g}"
    mark = "yes" if candidate["model"] == chosen else None
    return {**candidate, "interval": interval, "chosen": mark}


def _listed(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    return table(rows, columns).splitlines()
