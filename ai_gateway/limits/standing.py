"""How limits and budgets stand for a caller, with nothing taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from ai_gateway.access.keys import iso
from ai_gateway.limits import plan
from ai_gateway.limits.engine import Limits
from ai_gateway.limits.plan import BILLION, Entry, Who
from ai_gateway.limits.store import State
from ai_gateway.manifest.model import Manifest, Route

#: Counters that are looked at; whoever has more sees the first of them.
_MOST: Final = 200


def entries(
    manifest: Manifest, who: Who, routes: Sequence[Route], models: Sequence[str]
) -> Iterator[Entry]:
    """Every counter that a call of ``who`` on ``routes`` to ``models`` may meet."""
    for rule in plan.rules(manifest):
        met = [route.name for route in routes if plan.meets(rule, route)]
        yield from plan.entries(rule, who, met, models)


def standing(limits: Limits, found: Iterable[Entry]) -> list[dict[str, Any]] | None:
    """How each counter of ``found`` stands, once each; None while that is not known."""
    met = list({(each.counter.rule, each.counter.part): each for each in found}.values())[:_MOST]
    states = limits.look(met) if met else []
    if states is None:
        return None
    return [_shown(*each) for each in zip(met, states, strict=True)]


def _shown(entry: Entry, state: State) -> dict[str, Any]:
    rule = entry.rule
    scale = BILLION if rule.budget else 1
    return {
        "name": rule.name,
        "unit": rule.unit,
        "window": rule.window,
        "of": entry.counter.label,
        "allowed": rule.cap / scale,
        "used": state.taken / scale,
        "left": max(0, rule.cap - state.taken) / scale,
        "resets_at": iso(round(state.end * 1e6)),
    }
