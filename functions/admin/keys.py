"""Which keys there are: all of them for an administrator, for a key those that hang on it."""

from ai_gateway.access import asked
from ai_gateway.access.managing import Manager
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(query=asked.Search, reply=shapes.KeyList, scope="keys")


def handle(event: Event, context: Context) -> Reply:
    """Those that fit ``prefix``, ``owner`` and ``tenant``, oldest first, ``limit`` at a time."""
    wanted, manager = asked.query(event, asked.Search), Manager.of(event, context)
    found, more = manager.search(wanted)
    data = [manager.shown(key) for key in found]
    return Reply({"object": "list", "data": data, "has_more": more})
