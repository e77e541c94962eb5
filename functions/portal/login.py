"""Sends a browser to the issuer, to sign in."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation
from ai_gateway.portal import leaving

API = Operation(gives=(), statuses=(303,))


def handle(event: Event, context: Context) -> Reply:  # noqa: ARG001 - nothing of it is looked at
    """A redirection, and a cookie that knows this sign-in again."""
    return leaving.out(context)
