"""Issued keys are made, found, followed by others and ended: by an administrator, or by a key.

A key that has the scope ``keys`` manages itself and what hangs on it, and sees no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from ai_gateway.access.asked import NewKey, Search
from ai_gateway.access.issued import DEEPEST, IssuedKeys, ancestors
from ai_gateway.access.keys import Key, What, digest, new_text, row, shown
from ai_gateway.access.rights import granted
from ai_gateway.contract import Caller, Context, Event
from ai_gateway.errors import BadRequest, Conflict, Forbidden, GatewayError, NotFound
from ai_gateway.ids import new_id

#: What a key must have that makes keys.
SCOPE: Final = "keys"
#: With an answer that holds a key's text.
UNKEPT: Final = {"cache-control": "no-store"}
#: Keys at once below one that a key made.
CHILDREN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Manager:
    """One caller at one moment, and the keys that are his to manage."""

    event: Event
    context: Context
    #: The caller's own key; None for an administrator.
    own: Key | None

    @classmethod
    def of(cls, event: Event, context: Context) -> Manager:
        """Who manages keys by ``event``; raises Forbidden, or StoreAway."""
        caller, own = event.caller, None
        if not caller.admin:
            own = context.keys.keys.get(caller.id) if caller.scheme == "api-key" else None
            if own is None or SCOPE not in own.scopes:
                raise Forbidden(f"Keys are managed by an administrator or a key with {SCOPE!r}.")
        return cls(event, context, own)

    @property
    def caller(self) -> Caller:
        """Who manages."""
        return self.event.caller

    @property
    def issued(self) -> IssuedKeys:
        """All keys that there are."""
        return self.context.keys

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        return round(self.event.received_at * 1e6)

    def issue(self, asked: NewKey) -> tuple[Key, str]:
        """A new key and its text, which is kept nowhere."""
        with self._noted("key.issue", "keys"):
            self._refuse_followed()
            parent = self._parent(asked)
            grant = granted(asked, self._ceiling(parent), self.now)
            self._refuse_unknown(asked)  # last: only of what he has may a key learn what there is
        identity, (prefix, text) = self._id(), new_text(self.context.random)
        key = Key(
            id=identity,
            prefix=prefix,
            digest=digest(text),
            name=asked.name,
            owner=grant.owner,
            team=grant.team,
            tenant=grant.tenant,
            scopes=grant.scopes,
            routes=grant.routes,
            models=grant.models,
            created_at=self.now,
            created_by=self.caller.id,
            family=identity,
            parent=parent.id if parent else None,
            expires_at=grant.expires_at,
        )
        with self._noted("key.issue", key.id, after=key):
            self.issued.add([self._row(key, "issued")])
        return key, text

    def rotate(self, key: Key, overlap: float) -> tuple[Key, str]:
        """A key that follows ``key`` and is all that it is; both work for ``overlap`` seconds."""
        with self._noted("key.rotate", key.id):
            self._refuse_followed()
            self._refuse_ended(key, "id")
            if key.replaced_by is not None:
                raise Conflict("This key was rotated already; rotate the one that follows it.")
        prefix, text = new_text(self.context.random)
        after = replace(
            key,
            id=self._id(),
            prefix=prefix,
            digest=digest(text),
            created_at=self.now,
            created_by=self.caller.id,
        )
        retire_at = self.now + round(overlap * 1e6)
        before = replace(key, retire_at=retire_at, replaced_by=after.id)
        with self._noted("key.rotate", key.id, before=key, after=after):
            self.issued.add([self._row(before, "rotated"), self._row(after, "issued")])
        return after, text

    def revoke(self, key: Key) -> Key:
        """End ``key``, and with it what hangs on it; one that was ended already stays as it is."""
        if key.revoked_at is not None:
            return key
        ended = replace(key, revoked_at=self.now)
        with self._noted("key.revoke", key.id, before=key, after=ended):
            self.issued.end(self._row(ended, "revoked"))
        return ended

    def find(self, identity: str) -> Key:
        """The key of that id; raises NotFound for one that is another's just as for none."""
        key = self.issued.keys.get(identity)
        if key is None or not self._manages(key):
            raise NotFound("There is no such key.")
        return key

    def search(self, wanted: Search) -> tuple[list[Key], bool]:
        """Keys, oldest first, and whether there are more."""
        found = [
            key
            for key in sorted(self.issued.keys.values(), key=lambda key: key.id)
            if key.id > wanted.after and _fits(key, wanted) and self._manages(key)
        ]
        return found[: wanted.limit], len(found) > wanted.limit

    def shown(self, key: Key) -> dict[str, Any]:
        """What the caller sees of ``key``; never its text, nor the hash of it."""
        return shown(key, self.issued.revoked_at(key), self.now)

    def _manages(self, key: Key) -> bool:
        if self.own is None or key.id == self.own.id:
            return True
        above = ancestors(key, self.issued.keys) or ()
        return any(each.family == self.own.family for each in above)

    def _parent(self, asked: NewKey) -> Key | None:
        if asked.parent is None:
            parent = self.own
        else:
            parent = self.issued.keys.get(asked.parent)
            if parent is None or not self._manages(parent):
                raise BadRequest("There is no such key.", param="parent")
        if parent is not None:
            self._refuse_ended(parent, "parent")
            self._refuse_crowded(parent, self.issued.keys)
        return parent

    def _ceiling(self, parent: Key | None) -> Key | None:
        """What a key below ``parent`` may not exceed; None where nothing bounds it."""
        return parent

    def _refuse_followed(self) -> None:
        """Who holds on to a key that was replaced must not make himself others by it."""
        if self.own is not None and self.own.replaced_by is not None:
            raise Forbidden("This key was rotated; make keys with the one that follows it.")

    def _refuse_ended(self, key: Key, param: str) -> None:
        if self.issued.revoked_at(key) is not None or key.until <= self.now:
            raise BadRequest("This key does not work any more.", param=param)

    def _refuse_crowded(self, parent: Key, keys: Mapping[str, Key]) -> None:
        if len(ancestors(parent, keys) or ()) >= DEEPEST:
            raise BadRequest(f"A key hangs on at most {DEEPEST} others.", param="parent")
        live = (key for key in keys.values() if key.until > self.now and key.revoked_at is None)
        if self.own and sum(key.parent == parent.id for key in live) >= CHILDREN:
            raise BadRequest(f"At most {CHILDREN} keys are made below one.", param="parent")

    def _refuse_unknown(self, asked: NewKey) -> None:
        manifest = self.context.manifest
        _known("routes", asked.routes, (route.name for route in manifest.routes))
        _known("models", asked.models, manifest.models)

    def _id(self) -> str:
        return new_id(self.context.clock, self.context.random)

    def _row(self, key: Key, what: What) -> dict[str, Any]:
        return row(key, what, at=self.now, by=self.caller.id, event_id=self._id())

    @contextmanager
    def _noted(
        self, action: str, of: str, before: Key | None = None, after: Key | None = None
    ) -> Iterator[None]:
        """Tell the audit log what is done here where it changes a key, and of what is refused."""
        was, becomes = (key and shown(key, key.revoked_at, self.now) for key in (before, after))
        note = partial(self.context.audit.note, self.event, action, of, was, becomes)
        try:
            yield
        except GatewayError as error:
            note(outcome=error.code)
            raise
        if after is not None:
            note()


def _known(what: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    for name in sorted(set(names or ()) - set(known)):
        raise BadRequest(f"There is no {what.removesuffix('s')} {name!r}.", param=what)


def _fits(key: Key, wanted: Search) -> bool:
    return (
        key.prefix.startswith(wanted.prefix)
        and wanted.owner in (None, key.owner)
        and wanted.tenant in (None, key.tenant)
    )
