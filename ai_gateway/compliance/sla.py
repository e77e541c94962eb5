"""What each route promised, what became of that, and how fast its error budget burns.

The budget is the share of requests that may be bad: 0.1 % where 99.9 % are promised. Of a window,
the burn is the bad share over that: at 1 the budget is just used up at its end. What counts, and as
what, says ``records.objectives``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ai_gateway.compliance.declared import Slo
from ai_gateway.manifest.model import Manifest
from ai_gateway.records import Records
from ai_gateway.records.outcome import Count

#: Seconds back from now, beside the window that is declared.
WINDOWS: Final[Mapping[str, float]] = {"1h": 3600.0, "6h": 21_600.0, "3d": 259_200.0}
#: What may be promised, by the names of an ``slo``.
OBJECTIVES: Final = ("availability", "latency")


def report(
    records: Records, manifest: Manifest, now: float, days: float | None = None
) -> list[dict[str, Any]]:
    """One entry a route with an ``slo``, over its own window or over ``days``.

    Shares are 0..1, and null where nothing was counted; a budget that is overdrawn is below 0.
    """
    from ai_gateway.records.objectives import counts  # noqa: PLC0415 - it loads pyarrow

    slos = {route.name: route.slo for route in manifest.routes if route.slo}
    if not slos:
        return []
    whole = {name: days * 86_400.0 if days else slo.window for name, slo in slos.items()}
    windows = [*WINDOWS.values(), *sorted(set(whole.values()))]
    limits = {name: slo.limit for name, slo in slos.items()}
    found = counts(records, limits, windows, now)
    return [
        _route(name, slo, whole[name], dict(zip(windows, found[name], strict=True)))
        for name, slo in slos.items()
    ]


def _route(name: str, slo: Slo, window: float, told: Mapping[float, Count]) -> dict[str, Any]:
    here = told[window]
    found: dict[str, Any] = {
        "route": name,
        "days": window / 86_400,
        "served": here.served,
        "failed": here.failed,
        "slow": here.slow,
    }
    if slo.availability is not None:
        bad = {seconds: _share(count.failed, count.total) for seconds, count in told.items()}
        found["availability"] = _objective(slo.availability, bad, window)
    if slo.latency:
        bad = {seconds: _share(count.slow, count.served) for seconds, count in told.items()}
        under = {"under_seconds": slo.latency.under}
        found["latency"] = under | _objective(slo.latency.p, bad, window)
    return found


def _share(bad: int, of: int) -> float | None:
    return bad / of if of else None


def _objective(target: float, bad: Mapping[float, float | None], window: float) -> dict[str, Any]:
    """Against ``target``: the share that was good, what is left of the budget, and the burns."""
    burnt = {seconds: _burn(share, target) for seconds, share in bad.items()}
    here, used = bad[window], burnt[window]
    return {
        "target": target,
        "good": None if here is None else 1 - here,
        "met": None if used is None else used <= 1,
        "budget_left": None if used is None else 1 - used,
        "burn": {name: burnt[seconds] for name, seconds in WINDOWS.items()},
    }


def _burn(bad: float | None, target: float) -> float | None:
    """Rounded, so that what is just used up is 1 and no little more."""
    return None if bad is None else round(bad / (1 - target), 9)
