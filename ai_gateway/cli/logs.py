"""Recorded requests, a line each, and those that come."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ai_gateway.cli.output import cell, form_of
from ai_gateway.client import AI_Gateway, RateLimited, Requests, ServerError, Unreachable

Row = Mapping[str, Any]
#: Seconds between two looks: while there is something, at most while there is nothing, and at most
#: while the gateway cannot be asked.
_SHORTEST: Final = 1.0
_IDLE: Final = 5.0
_AWAY: Final = 30.0
#: Requests of one look.
_PAGE: Final = 1000


def line(row: Row) -> str:
    """One request for a person: when, status, how long, where, who answered, cost, id."""
    asked = row.get("served") or row.get("chosen") or "-"
    tokens = "-"
    if (taken := row.get("input_tokens")) is not None:
        tokens = f"{taken}>{row.get('output_tokens') or 0}"
    told = (
        f"{row['received_at'][:19]}Z",
        f"{row.get('status', '-')}",
        f"{row.get('latency_ms') or 0:.0f}ms".rjust(7),
        cell(row.get("route")).ljust(16),
        cell(asked).ljust(12),
        f"{cell(row.get('selection') or row.get('error')):9}",
        tokens.rjust(10),
        cell(row.get("cost")).rjust(9),
        row["request_id"],
        cell(row["error"]) if row.get("selection") and row.get("error") else "",
    )
    return "  ".join(map(cell, told)).rstrip()


def write(rows: Iterable[Row], form: str | None) -> None:
    """A line each, as text or as JSON; at once, so that a pipe's reader is not kept waiting."""
    plain = form_of(form) == "table"
    for row in rows:
        text = line(row) if plain else json.dumps(dict(row), ensure_ascii=False)
        sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(slots=True)
class Following:
    """Asks again and again for what became readable, and tells it, until it is stopped."""

    gateway: AI_Gateway
    filters: Mapping[str, Any]
    form: str | None
    sleep: Callable[[float], None] = time.sleep

    def run(self, cursor: str) -> None:
        """From ``cursor`` on, without an end; raises GatewayError for what no waiting heals."""
        wait, away = _SHORTEST, False
        while True:
            self.sleep(wait)
            try:
                page = self._page(cursor)
            except (Unreachable, ServerError, RateLimited) as error:
                if not away:
                    sys.stderr.write(f"{error.message} Trying again.\n")
                wait, away = min(max(wait * 2, _SHORTEST), _AWAY), True
                continue
            write(page.rows, self.form)
            cursor, away = page.cursor, False
            idle = _SHORTEST if page.rows else min(wait + _SHORTEST, _IDLE)
            wait = 0.0 if page.more else idle

    def _page(self, cursor: str) -> Requests:
        return self.gateway.requests(**self.filters, limit=_PAGE, cursor=cursor)


def moment(text: str, now: float) -> float:
    """Seconds since the epoch of ``10m`` before ``now``, or of a time with its zone.

    Raises ValueError for anything else.
    """
    from ai_gateway.manifest.units import duration  # noqa: PLC0415 - it knows pydantic: slow

    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        pass
    else:
        if found.tzinfo is None:
            raise ValueError(f"{text}: a time needs its zone, such as {text}Z")
        return found.timestamp()
    if text[:1].isdigit() and not text.isdecimal():
        return now - duration(text)
    raise ValueError(f"{text}: 10m, 2h, 1d, or a time such as 2026-03-01T12:00:00Z")
