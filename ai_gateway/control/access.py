"""Who may use the admin API, and that what he sends is said to be JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ai_gateway.access.asked import say_json
from ai_gateway.contract import Context, Event
from ai_gateway.errors import Forbidden, GatewayError

#: Has what every other scope has.
EVERYTHING = "admin"


def require(event: Event, context: Context, scope: str, action: str = "") -> None:
    """Raise Forbidden unless the caller is an administrator or has ``scope`` or ``admin``.

    Whatever changes something must be JSON, which no form of another site can send; ``action`` is
    what the audit log calls it where it is refused.
    """
    if action:
        with attempt(event, context, scope, action):
            return
    _require(event, scope)


@contextmanager
def attempt(event: Event, context: Context, scope: str, action: str) -> Iterator[None]:
    """Require ``scope``, then read what is asked for: who is refused on the way is in the log."""
    try:
        _require(event, scope)
        yield
    except GatewayError as error:
        context.audit.note(event, action, event.path, outcome=error.code)
        raise


def _require(event: Event, scope: str) -> None:
    caller = event.caller
    if not (caller.admin or {scope, EVERYTHING} & (caller.scopes or frozenset())):
        raise Forbidden(f"This takes an administrator, or a key with the scope {scope!r}.")
    if event.method != "GET":
        say_json(event)
