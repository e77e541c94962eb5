"""Limits and budgets, and how they stand for a tenant, a team or a key."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.control.budgets import Asked, told
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import Operation

API = Operation(query=Asked, reply=shapes.BudgetsShown, errors=(400, 503), scope="budgets")


def handle(event: Event, context: Context) -> Reply:
    """As the bundle declares them; with `tenant`, `team` or `key` what is used and left, too."""
    require(event, context, "budgets")
    return Reply(told(event, context))
