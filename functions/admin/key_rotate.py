"""A key that follows another one; for a while both work."""

from ai_gateway.access import asked
from ai_gateway.access.managing import UNKEPT, Manager
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(
    body=asked.Rotation,
    optional=True,
    reply=shapes.MadeKey,
    statuses=(201,),
    errors=(404, 409, 415),
    scope="keys",
    example={"overlap": "1h"},
)


def handle(event: Event, context: Context) -> Reply:
    """What the new one is, and its text, this once."""
    manager = Manager.of(event, context)
    rotation = asked.body(event, asked.Rotation, optional=True)
    before = manager.find(event.path_parameters["id"])
    key, text = manager.rotate(before, rotation.overlap)
    return Reply({**manager.shown(key), "key": text}, status=201, headers=UNKEPT)
