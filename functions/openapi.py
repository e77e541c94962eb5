"""This document: what is served, told as OpenAPI 3.1."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.document import document
from ai_gateway.openapi.operation import Operation

API = Operation()


def handle(event: Event, context: Context) -> Reply:
    """Every route of the bundle in force that the caller may call; of others nothing is told."""
    return Reply(document(context.manifest, event.caller), headers={"cache-control": "no-store"})
