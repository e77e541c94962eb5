"""Dead letters: messages that no receiver took, as rows of the table ``webhooks``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ai_gateway import strictjson
from ai_gateway.records import Records
from ai_gateway.webhooks.lanes import Pending

#: Reasons that are no error's code: more waited than may, and nobody is to be told any more.
QUEUE_FULL: Final = "queue_full"
NO_CALLBACK: Final = "no_callback"
COLUMNS: Final = (
    *("at", "state", "created_at", "event_id", "callback", "type", "route", "tenant", "request_id"),
    *("reason", "status", "attempts", "body"),
)
Letter = Mapping[str, Any]


def row(pending: Pending, now: float, reason: str, status: int | None = None) -> dict[str, Any]:
    """The dead letter that ``pending`` becomes at ``now``, seconds since the epoch."""
    said = strictjson.loads(pending.body)
    return _row(
        {
            "created_at": _moment(said["created_at"]),
            "event_id": pending.message_id,
            "callback": pending.callback,
            "type": said["type"],
            "route": said["route"],
            "tenant": said["tenant"],
            "request_id": said["request_id"],
            "reason": reason,
            "status": status,
            "attempts": pending.attempts,
            "body": pending.body.decode(),
        },
        "dead",
        now,
    )


def resent(letter: Letter, now: float) -> dict[str, Any]:
    """The row that says that ``letter`` was taken after all."""
    kept = {name: letter[name] for name in COLUMNS if name not in ("at", "state")}
    return _row(kept, "resent", now)


def _row(letter: Letter, state: str, now: float) -> dict[str, Any]:
    at = round(now * 1e6)
    letter_id = f"{letter['event_id']}:{letter['callback']}:{state}:{at}"
    return {"schema_version": 1, "letter_id": letter_id, "at": at, "state": state, **letter}


def dead(records: Records) -> list[Letter]:
    """The letters that are dead now, in the order of their events; reads the whole table."""
    found: dict[tuple[str, str], Letter] = {}
    for each in records.rows("webhooks", COLUMNS):
        key = each["event_id"], each["callback"]
        known = found.get(key)
        if known is None or _later(known) < _later(each):
            found[key] = each
    return sorted((each for each in found.values() if each["state"] == "dead"), key=_order)


def _later(letter: Letter) -> tuple[int, bool]:
    """What became of one last; in one moment it was dead first."""
    return letter["at"], letter["state"] == "resent"


def _order(letter: Letter) -> tuple[int, str, str]:
    """As the events came to be; ids of one moment sort too."""
    return letter["created_at"], letter["event_id"], letter["callback"]


def _moment(written: str) -> int:
    """Microseconds since the epoch of a time as events have it."""
    return round(datetime.fromisoformat(written.replace("Z", "+00:00")).timestamp() * 1e6)
