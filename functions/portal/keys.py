"""The keys of who is signed in."""

from ai_gateway.access.managing import UNKEPT
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal.own import OwnKeys

API = Operation()


def handle(event: Event, context: Context) -> Reply:
    """Newest first, those that ended too; neither their texts nor the hashes of them."""
    own = OwnKeys.of(event, context)
    data = [own.shown(key) for key in own.every()]
    return Reply({"object": "list", "data": data}, headers=UNKEPT)
