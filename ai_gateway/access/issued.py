"""The issued keys that work now: followed in the store, looked up in memory.

A background thread looks once a second for files that it has not read, so that a key works, or
stops working, within two seconds in every process; in the process that issues or revokes it at
once. A request looks in a dictionary that is swapped whole. Until the store was read once nothing
is in it: then no issued key works.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from ai_gateway.access.keys import Key, folded
from ai_gateway.clock import Clock
from ai_gateway.contract import ANONYMOUS, Caller
from ai_gateway.errors import StoreAway
from ai_gateway.records import Records
from ai_gateway.watch import Watch

log = logging.getLogger(__name__)

#: How many keys one may hang on; one below more of them never works.
DEEPEST: Final = 8

_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a look-up finds."""

    digest: bytes = field(repr=False)
    #: Seconds since the epoch.
    until: float
    caller: Caller
    key: Key | None = None


#: For a key that nobody knows, so that it takes the way of one that ended.
_NOBODY: Final = _Entry(bytes(32), 0.0, ANONYMOUS)


class IssuedKeys:
    """All keys of one store. Every method may be called by any thread."""

    def __init__(self, records: Records, clock: Clock, every: float = 1.0) -> None:
        self._records = records
        self._clock = clock
        self._keys: Mapping[str, Key] = {}
        self._families: Mapping[str, int] = {}
        self._index: Mapping[bytes, _Entry] = {}
        self._seen: frozenset[str] = frozenset()
        self._swapping = Lock()
        self._reading = Lock()
        self._watch = Watch("keys", every, self.refresh)
        #: Of the monotonic clock; None until the store was read once.
        self._read_at: float | None = None
        #: Why the store could not be read when it was last looked at.
        self.fault: str | None = None

    def find(self, digest: bytes) -> Caller | None:
        """Whose key has this SHA-256; None for one that is unknown, revoked or over."""
        entry = self._index.get(digest, _NOBODY)
        alike = hmac.compare_digest(entry.digest, digest)
        return entry.caller if alike & (self._clock.now() < entry.until) else None

    @property
    def keys(self) -> Mapping[str, Key]:
        """Every key that was ever issued, by id; raises StoreAway where they are not known."""
        if self._read_at is None:
            self.refresh()
        if self._read_at is None:
            raise StoreAway("The issued keys cannot be read now; try again.")
        return self._keys

    def revoked_at(self, key: Key) -> int | None:
        """When ``key``, or what it hangs on, was revoked; None for one that was not."""
        return _revoked_at(key, self._keys, self._families)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store rows of the keys table, then go by them; raises StoreAway and does neither."""
        try:
            self._records.publish("keys", rows)
        except OSError:
            raise StoreAway("The key cannot be stored now; nothing was changed.") from None
        self._take(rows)

    def end(self, row: Mapping[str, Any]) -> None:
        """Go by a row that revokes a key, then store it.

        Raises StoreAway where other processes cannot be told yet. They are as soon as the store
        is back: the row waits in the write-ahead folder.
        """
        self._take([row])
        try:
            self._records.publish("keys", [row])
        except OSError:
            self._records.append("keys", row)
            raise StoreAway(
                "The key is revoked in this process; others learn of it once the store is back."
            ) from None

    def refresh(self) -> None:
        """Look once; a store that cannot be read leaves the keys as they are."""
        with self._reading:
            try:
                seen, rows = self._records.unseen("keys", self._seen)
                if rows:
                    self._take(rows)
            except OSError as error:
                self._away(error.strerror or type(error).__name__)
                return
            except Exception as error:  # whatever it is, the thread that looks must live on
                if self.fault is None:
                    log.exception("issued keys cannot be read")
                self.fault = type(error).__name__
                return
            self._seen, self._read_at, self.fault = seen, self._clock.monotonic(), None

    def _away(self, why: str) -> None:
        """The store is: told once, and without a trace, since that is foreseen."""
        if self.fault is None:
            log.error("issued keys cannot be read: %s", why)
        self.fault = why

    def _take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._swapping:
            self._keys = folded(self._keys, rows)
            self._families = _families(self._keys)
            self._index = _indexed(self._keys, self._families, self._index)

    def start(self) -> IssuedKeys:
        """Look now, and keep looking."""
        self.refresh()
        self._watch.start()
        return self

    def stop(self) -> None:
        """Stop looking."""
        self._watch.stop()

    def status(self) -> dict[str, float]:
        """How many keys are known and not revoked, and how old that knowledge is in seconds."""
        read_at = self._read_at
        age = float("inf") if read_at is None else self._clock.monotonic() - read_at
        return {"live": float(len(self._index)), "unread_seconds": age}


def _indexed(
    keys: Mapping[str, Key], families: Mapping[str, int], before: Mapping[bytes, _Entry]
) -> dict[bytes, _Entry]:
    """Every key that was not revoked, by its digest; what is as it was ``before`` is taken over."""
    found = {}
    for key in keys.values():
        if key.revoked_at is None and _revoked_at(key, keys, families) is None:
            known = before.get(key.digest)
            found[key.digest] = known if known and known.key is key else _entry(key)
    return found


def _entry(key: Key) -> _Entry:
    return _Entry(key.digest, key.until / _MICROSECONDS, _caller(key), key)


def _families(keys: Mapping[str, Key]) -> dict[str, int]:
    """The families of which a key was revoked by itself, and when first."""
    revoked: dict[str, int] = {}
    for key in keys.values():
        if key.revoked_at is not None:
            revoked[key.family] = min(key.revoked_at, revoked.get(key.family, key.revoked_at))
    return revoked


def _revoked_at(key: Key, keys: Mapping[str, Key], families: Mapping[str, int]) -> int | None:
    """The first of its own and its ancestors' revocations; a key without its ancestors is none."""
    if key.parent is None:
        return key.revoked_at
    above = ancestors(key, keys)
    if above is None:
        return key.created_at
    found = [families[each.family] for each in above if each.family in families]
    return min(found if key.revoked_at is None else [*found, key.revoked_at], default=None)


def ancestors(key: Key, keys: Mapping[str, Key]) -> list[Key] | None:
    """What it hangs on, nearest first; None where that is not known, or goes beyond ``DEEPEST``."""
    found: list[Key] = []
    while key.parent is not None:
        parent = keys.get(key.parent)
        if parent is None or len(found) == DEEPEST:
            return None
        found.append(parent)
        key = parent
    return found


def _caller(key: Key) -> Caller:
    return Caller(
        id=key.id,
        scheme="api-key",
        tenant=key.tenant,
        team=key.team,
        owner=key.owner,
        scopes=key.scopes,
        routes=key.routes,
        models=key.models,
    )
