"""A key that follows one of his own; for a while both may work."""

from ai_gateway.access import asked
from ai_gateway.access.managing import UNKEPT
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.administration import MadeKey
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.own import Following, OwnKeys
from ai_gateway.portal.portal import portal

API = Operation(
    body=Following,
    optional=True,
    example={"overlap": "1h"},
    reply=MadeKey,
    statuses=(201,),
    errors=(404, 409, 415),
)


def handle(event: Event, context: Context) -> Reply:
    """With the same rights and the same end, unless that is more than he would get now."""
    own = OwnKeys.of(event, context)
    wanted = asked.body(event, Following, optional=True)
    before = own.find(event.path_parameters["id"])
    with portal(context).issuing:
        key, text = own.rotate(before, wanted.overlap)
    return Reply({**own.shown(key), "key": text}, status=201, headers=UNKEPT)
