"""A new key: the one time that its text is told."""

from ai_gateway.access import asked
from ai_gateway.access.managing import UNKEPT, Manager
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(
    body=asked.NewKey,
    reply=shapes.MadeKey,
    statuses=(201,),
    errors=(415,),
    scope="keys",
    example={"name": "a notebook", "expires_in": "30d"},
)


def handle(event: Event, context: Context) -> Reply:
    """What it is, and ``key``, which the caller must keep, for nobody else does."""
    manager = Manager.of(event, context)
    key, text = manager.issue(asked.body(event, asked.NewKey))
    return Reply({**manager.shown(key), "key": text}, status=201, headers=UNKEPT)
