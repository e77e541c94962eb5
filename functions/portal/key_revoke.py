"""The end of one of his own keys."""

from ai_gateway.access import asked
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.administration import ShownKey
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.own import OwnKeys

API = Operation(reply=ShownKey, errors=(404, 415))


def handle(event: Event, context: Context) -> Reply:
    """It as it is now; another's is as unknown as one that is none."""
    own = OwnKeys.of(event, context)
    asked.say_json(event)
    return Reply(own.shown(own.revoke(own.find(event.path_parameters["id"]))))
