"""The guardrail policies of the bundle."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.showing import shown_policies
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(reply=shapes.PolicyList, scope="policies")


def handle(event: Event, context: Context) -> Reply:
    """Their names, each with the digest of its file."""
    require(event, context, "policies")
    return shown_policies(context)
