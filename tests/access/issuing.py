"""A store of keys in memory, a clock that a test moves, and who manages keys by them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

from ai_gateway.access.asked import NewKey
from ai_gateway.access.issued import IssuedKeys
from ai_gateway.access.keys import Key, digest
from ai_gateway.access.managing import Manager
from ai_gateway.contract import Caller, Context, Event
from ai_gateway.control.audit import Audit
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.records import StoreUnavailable
from tests.clocks import Moved

NOW = 1_800_000_000
ADMIN = Caller(id="admin", scheme="api-key", admin=True)
MODEL = {"url": "https://models.example/v1", "model_id": "m"}
ROUTE = Route(path="/api/v1/keys", name="keys", auth=("api-key",), scopes=("keys",))
MANIFEST = Manifest.model_validate(
    {
        "models": {"model-a": MODEL, "model-b": MODEL},
        "routes": [{"path": "/chat", "auth": "api-key"}, {"path": "/keys", "auth": "api-key"}],
    }
)


@dataclass
class Clock(Moved):
    """One that begins when the keys are made."""

    time: float = float(NOW)


@dataclass
class Store:
    """What of Records issued keys need; away when a test says so."""

    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    waiting: list[Mapping[str, Any]] = field(default_factory=list)
    audited: list[Mapping[str, Any]] = field(default_factory=list)
    fault: Exception | None = None

    def publish(self, _table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        if self.fault:
            raise self.fault
        self.files[f"{len(self.files):04d}"] = [dict(row) for row in rows]

    def append(self, table: str, row: Mapping[str, Any]) -> None:
        (self.audited if table == "audit" else self.waiting).append(row)

    def unseen(
        self, _table: str, seen: Collection[str]
    ) -> tuple[frozenset[str], list[dict[str, Any]]]:
        if self.fault:
            raise self.fault
        new = [row for name, rows in self.files.items() if name not in seen for row in rows]
        return frozenset(self.files), new


AWAY = StoreUnavailable("no such bucket")


@dataclass
class World:
    """One process: its keys, its clock, and the store that it shares with others."""

    store: Store = field(default_factory=Store)
    clock: Clock = field(default_factory=Clock)
    random: Random = field(default_factory=lambda: Random(7))
    issued: IssuedKeys = field(init=False)
    audit: Audit = field(init=False)

    def __post_init__(self) -> None:
        self.issued = IssuedKeys(self.store, self.clock)
        self.audit = Audit(self.store, self.clock)

    def manager(self, caller: Caller = ADMIN) -> Manager:
        """Who manages keys as ``caller``."""
        nothing: Any = None
        given = {each.name: nothing for each in fields(Context)}
        given |= {"keys": self.issued, "clock": self.clock, "random": self.random}
        given |= {"audit": self.audit}
        context = Context(**given | {"manifest": MANIFEST})
        event = Event("r", ROUTE, "POST", ROUTE.path, self.clock.now(), caller=caller)
        return Manager.of(event, context)

    def issue(self, caller: Caller = ADMIN, **asked: Any) -> tuple[Key, str]:
        """A new key and its text."""
        return self.manager(caller).issue(NewKey.model_validate({"name": "a key", **asked}))

    def caller(self, text: str) -> Caller | None:
        """Whose key ``text`` is, as a request would have it."""
        return self.issued.find(digest(text))
