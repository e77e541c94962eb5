"""A new key of who is signed in: the one time that its text is told."""

from ai_gateway.access import asked
from ai_gateway.access.managing import UNKEPT
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.administration import MadeKey
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.own import OwnKeys, WantedKey
from ai_gateway.portal.portal import portal

API = Operation(
    body=WantedKey,
    example={"name": "laptop"},
    reply=MadeKey,
    statuses=(201,),
    errors=(409, 415),
)


def handle(event: Event, context: Context) -> Reply:
    """What it is, and ``key``; 409 where he has as many as one person may."""
    own = OwnKeys.of(event, context)
    wanted = asked.body(event, WantedKey).asked()
    with portal(context).issuing:
        key, text = own.issue(wanted)
    return Reply({**own.shown(key), "key": text}, status=201, headers=UNKEPT)
