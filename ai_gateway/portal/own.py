"""Keys that people make for themselves: within what the portal gives and what they have themselves.

A key is a person's where he made the first of those that followed one another by rotation: so it
stays his when an administrator rotates it, and what an owner is called gives nobody a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from ai_gateway.access.asked import LONGEST, NameList, NewKey
from ai_gateway.access.keys import Key, Names
from ai_gateway.access.managing import Manager
from ai_gateway.contract import Caller, Context, Event
from ai_gateway.errors import Conflict, Forbidden
from ai_gateway.manifest.model import Manifest
from ai_gateway.manifest.units import Duration, Interval, Said
from ai_gateway.portal.declared import Portal

#: How people come to the portal. A key or a token of whoever else is no person.
SCHEMES: Final = frozenset({"session", "platform"})
#: Seconds that a key and the one that follows it both work, at most.
OVERLAP: Final = 86_400.0
_TEXT: Final = 200


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WantedKey(_Closed):
    """A key that a person asks for; what is left out is as much as he may have, scopes none."""

    name: Said
    routes: NameList | None = None
    models: NameList | None = None
    scopes: NameList = ()
    expires_in: Annotated[Duration, Field(le=LONGEST)] | None = None

    def asked(self) -> NewKey:
        """As whoever makes keys asks for one."""
        return NewKey.model_validate(self.model_dump(exclude_unset=True))


class Following(_Closed):
    """How long a key that is followed by another one still works beside it."""

    overlap: Annotated[Interval, Field(le=OVERLAP)] = 0.0


def ceiling(portal: Portal, manifest: Manifest, caller: Caller, now: int) -> Key:
    """The most that a key of ``caller`` may be; it works nowhere. ``now`` is in microseconds.

    Both bound it: what the portal declares, and what the person may use himself.
    """
    rules = portal.keys
    models = frozenset(manifest.models if rules.models is None else rules.models)
    bounded = caller.models is not None or rules.models is not None
    return Key(
        id="",
        prefix="",
        digest=b"",
        name="",
        owner=(caller.owner or caller.id)[:_TEXT],
        team=caller.team,
        tenant=caller.tenant,
        scopes=frozenset(rules.scopes) & (caller.scopes or frozenset()),
        routes=_both(frozenset(rules.routes), caller.routes),
        models=_both(models, caller.models) if bounded else None,
        created_at=now,
        created_by=caller.id,
        family="",
        expires_at=now + round(rules.longest * 1e6),
    )


def _both(given: frozenset[str], own: Names) -> frozenset[str]:
    return given if own is None else given & own


@dataclass(frozen=True, slots=True)
class OwnKeys(Manager):
    """A person at one moment, and the keys that he made."""

    @classmethod
    def of(cls, event: Event, context: Context) -> OwnKeys:
        """Who manages his own keys by ``event``; raises Forbidden."""
        if event.caller.scheme not in SCHEMES:
            raise Forbidden("The portal is for people who sign in; keys are managed by /api/v1.")
        if event.method != "GET" and event.headers.get("sec-fetch-site", _SAME) != _SAME:
            raise Forbidden("This did not come from the portal's own page; load it again.")
        return cls(event, context, None)

    @property
    def portal(self) -> Portal:
        """What is declared; `check` sees to it that it is."""
        portal = self.context.manifest.portal
        if portal is None:
            raise Forbidden("This bundle declares no portal.")
        return portal

    @property
    def most(self) -> Key:
        """What none of the keys may exceed that are made now."""
        return ceiling(self.portal, self.context.manifest, self.caller, self.now)

    def every(self) -> list[Key]:
        """Every key of his, newest first, those that ended too."""
        found = filter(self._manages, self.issued.keys.values())
        return sorted(found, key=lambda key: key.id, reverse=True)

    def issue(self, asked: NewKey) -> tuple[Key, str]:
        """As any manager, but for no more keys than one person may have; raises Conflict."""
        with self._noted("key.issue", "keys"):
            self._refuse_one_more()
        return Manager.issue(self, asked)

    def rotate(self, key: Key, overlap: float) -> tuple[Key, str]:
        """As any manager, but for no key that is more than he would get now; raises Forbidden."""
        with self._noted("key.rotate", key.id):
            self._refuse_beyond(key)
        return Manager.rotate(self, key, overlap)

    def _refuse_one_more(self) -> None:
        most = self.portal.keys.most
        if self._live() >= most:
            raise Conflict(f"You have {most} keys, as many as one person may; end one first.")

    def _refuse_beyond(self, key: Key) -> None:
        most = self.most
        if (
            key.tenant != most.tenant
            or key.team != most.team
            or not key.scopes <= most.scopes
            or not _within(key.routes, most.routes)
            or not _within(key.models, most.models)
            or key.until > most.until
        ):
            raise Forbidden("This key may more than you may be given now; make a new one.")
        if self._live() > self.portal.keys.most:
            raise Conflict("Another key of yours is being followed; wait until its overlap ends.")

    def _live(self) -> int:
        keys = (key for key in self.every() if key.until > self.now)
        return sum(self.issued.revoked_at(key) is None for key in keys)

    def _ceiling(self, parent: Key | None) -> Key | None:  # noqa: ARG002 - as Manager; there is none
        return self.most

    def _manages(self, key: Key) -> bool:
        first = self.issued.keys.get(key.family, key)
        return first.created_by == self.caller.id


_SAME: Final = "same-origin"


def _within(names: Names, most: Names) -> bool:
    return most is None or (names is not None and names <= most)
