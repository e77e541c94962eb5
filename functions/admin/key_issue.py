"""A new key: the one time that its text is told."""

from ai_gateway.access import asked
from ai_gateway.access.managing import UNKEPT, Manager
from ai_gateway.contract import Context, Event, Reply


def handle(event: Event, context: Context) -> Reply:
    """What it is, and ``key``, which the caller must keep, for nobody else does."""
    manager = Manager.of(event, context)
    key, text = manager.issue(asked.body(event, asked.NewKey))
    return Reply({**manager.shown(key), "key": text}, status=201, headers=UNKEPT)
