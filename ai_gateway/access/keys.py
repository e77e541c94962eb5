"""What an issued key is: its text, what is kept of it, and what became of it.

The text is ``agw_PREFIX_SECRET``: eight characters that are shown, and 256 random bits. It is kept
as its SHA-256. A password needs a slow hash, because it can be guessed; among 2**256 equally
likely keys there is nothing to guess, so a slow hash would add nothing but time to each request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from random import Random
from typing import Any, Final, Literal

#: What every issued key begins with, so that people and scanners recognise one.
MARK: Final = "agw_"
#: In a stored list of names: everything.
EVERYTHING: Final = "*"

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX: Final = 8  # characters
_SECRET_BITS: Final = 256
_SECRET: Final = 43  # characters: the fewest of 62 kinds that hold so many bits

#: Names that are all there is; None is everything.
Names = frozenset[str] | None
What = Literal["issued", "rotated", "revoked"]


@dataclass(frozen=True, slots=True)
class Key:
    """An issued key without its text. Times are microseconds since the epoch."""

    id: str
    prefix: str
    digest: bytes = field(repr=False)
    name: str
    owner: str
    team: str
    tenant: str
    scopes: frozenset[str]
    routes: Names
    models: Names
    created_at: int
    created_by: str
    #: The first of the keys that followed one another by rotation; its own id where it is that.
    family: str
    parent: str | None = None
    expires_at: int | None = None
    revoked_at: int | None = None
    retire_at: int | None = None
    replaced_by: str | None = None

    @property
    def until(self) -> float:
        """When it ends by itself."""
        ends = (self.expires_at, self.retire_at)
        return min((end for end in ends if end is not None), default=float("inf"))


def digest(text: str) -> bytes:
    """What is kept of a key, and looked for: of equal length, and it tells nothing of the key."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def new_text(random: Random) -> tuple[str, str]:
    """A new key's prefix and its whole text, which nobody can be told a second time."""
    shown = _base62(random.getrandbits(_SECRET_BITS), _PREFIX)
    prefix = f"{MARK}{shown}"
    return prefix, f"{prefix}_{_base62(random.getrandbits(_SECRET_BITS), _SECRET)}"


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


def merged(known: Key | None, told: Key) -> Key:
    """What is known of a key by two rows of it, in whichever order they are read.

    What ended it stays: no later row of a process that had not heard of it yet takes it back.
    """
    if known is None:
        return told
    return replace(
        known,
        revoked_at=_earlier(known.revoked_at, told.revoked_at),
        retire_at=_earlier(known.retire_at, told.retire_at),
        replaced_by=_earlier(known.replaced_by, told.replaced_by),
    )


def _earlier(one: Any, other: Any) -> Any:
    """The smaller one of two that may be None; ids sort by time."""
    return min((each for each in (one, other) if each is not None), default=None)


def row(key: Key, what: What, *, at: int, by: str, event_id: str) -> dict[str, Any]:
    """The row of the keys table that says ``what`` the caller ``by`` did with ``key``."""
    return {
        "schema_version": 1,
        "event_id": event_id,
        "at": at,
        "event": what,
        "by": by,
        "key_id": key.id,
        "prefix": key.prefix,
        "digest": key.digest.hex(),
        "name": key.name,
        "owner": key.owner,
        "team": key.team,
        "tenant": key.tenant,
        "scopes": sorted(key.scopes),
        "routes": _list(key.routes),
        "models": _list(key.models),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "created_by": key.created_by,
        "parent": key.parent,
        "family": key.family,
        "revoked_at": key.revoked_at,
        "retire_at": key.retire_at,
        "replaced_by": key.replaced_by,
    }


def _list(names: Names) -> list[str]:
    return [EVERYTHING] if names is None else sorted(names)


def of_row(row: Mapping[str, Any]) -> Key:
    """The key as ``row`` of the keys table tells it."""
    return Key(
        id=row["key_id"],
        prefix=row["prefix"],
        digest=bytes.fromhex(row["digest"]),
        name=row["name"],
        owner=row["owner"],
        team=row["team"],
        tenant=row["tenant"],
        scopes=frozenset(row["scopes"] or ()),
        routes=_names(row["routes"]),
        models=_names(row["models"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        family=row["family"],
        parent=row["parent"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        retire_at=row["retire_at"],
        replaced_by=row["replaced_by"],
    )


def _names(found: Sequence[str] | None) -> Names:
    """What is missing is nothing, never everything."""
    return None if found == [EVERYTHING] else frozenset(found or ())


def folded(known: Mapping[str, Key], rows: Iterable[Mapping[str, Any]]) -> dict[str, Key]:
    """``known`` keys by id, with what ``rows`` tell."""
    keys = dict(known)
    for each in rows:
        told = of_row(each)
        keys[told.id] = merged(keys.get(told.id), told)
    return keys


def shown(key: Key, revoked_at: int | None, now: int) -> dict[str, Any]:
    """What its administrators see of it; ``revoked_at`` is its own or that of what it hangs on."""
    return {
        "id": key.id,
        "object": "key",
        "prefix": key.prefix,
        "name": key.name,
        "owner": key.owner,
        "team": key.team,
        "tenant": key.tenant,
        "scopes": sorted(key.scopes),
        "routes": _sorted(key.routes),
        "models": _sorted(key.models),
        "status": _status(key, revoked_at, now),
        "created_at": iso(key.created_at),
        "created_by": key.created_by,
        "expires_at": iso(key.expires_at),
        "parent": key.parent,
        "revoked_at": iso(revoked_at),
        "retire_at": iso(key.retire_at),
        "replaced_by": key.replaced_by,
    }


def _sorted(names: Names) -> list[str] | None:
    return None if names is None else sorted(names)


def _status(key: Key, revoked_at: int | None, now: int) -> str:
    if revoked_at is not None:
        return "revoked"
    if key.until > now:
        return "active"
    return "retired" if key.until == key.retire_at else "expired"


def iso(at: int | None) -> str | None:
    """Microseconds since the epoch as a person reads them."""
    return None if at is None else datetime.fromtimestamp(at / 1e6, timezone.utc).isoformat()
