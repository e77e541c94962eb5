"""What a gateway answers with, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Route:
    """One route: ``entry`` is all that the bundle's file says of it.

    ``version`` is the digest of the whole bundle that it was read from or written to; handed to a
    change, it makes the gateway refuse one that would undo somebody else's.
    """

    name: str
    path: str
    methods: tuple[str, ...]
    target: str | None
    auth: tuple[str, ...]
    rate_limit: int | str | None
    version: str | None
    entry: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, entry: Mapping[str, Any], version: str | None) -> Route:
        """A route as the gateway tells it."""
        return cls(
            name=entry["name"],
            path=entry["path"],
            methods=several(entry.get("methods")),
            target=entry.get("target"),
            auth=several(entry.get("auth")),
            rate_limit=entry.get("rateLimit"),
            version=version,
            entry=entry,
        )


@dataclass(frozen=True, slots=True)
class Security:
    """Who may call an endpoint, and how often: for each of its routes what is in force now."""

    endpoint: str
    routes: tuple[Mapping[str, Any], ...]
    version: str | None


@dataclass(frozen=True, slots=True)
class Key:
    """One issued key. ``text`` is what its user sends: told once, when it is made."""

    id: str
    name: str
    prefix: str
    status: str | None
    entry: Mapping[str, Any] = field(repr=False)
    text: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Key:
        """A key as the gateway tells it."""
        shown = {name: value for name, value in entry.items() if name != "key"}
        return cls(
            id=entry["id"],
            name=entry["name"],
            prefix=entry["prefix"],
            status=entry.get("status"),
            entry=shown,
            text=entry.get("key"),
        )


@dataclass(frozen=True, slots=True)
class Requests:
    """A page of recorded requests: ``rows`` as the gateway tells them, without their texts.

    ``cursor`` asks for what became readable behind them; ``more`` says that there is some.
    """

    rows: tuple[Mapping[str, Any], ...]
    cursor: str = field(repr=False)
    more: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer, and by which decision that model was asked."""

    output: str
    model: str
    request_id: str
    decision: str | None


def several(value: Any) -> tuple[str, ...]:
    """One text or a list of them, as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
