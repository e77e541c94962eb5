"""Documents in the order of their bearing on a query."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.rerank import RERANK
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import Operation

_PROTOCOL = frozenset({"documents", "model", "query", "top_n"})


API = Operation(
    body=bodies.Rerank,
    reply=replies.RerankReply,
    example={"model": "auto", "query": "cats", "documents": ["of cats", "of dogs"]},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen."""
    body = surfaces.parse(event, _PROTOCOL, {})
    return surfaces.whole(surfaces.ask(event, context, RERANK, body))
