"""Documents in the order of their bearing on a query."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.rerank import RERANK

_PROTOCOL = frozenset({"documents", "model", "query", "top_n"})


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen."""
    body = surfaces.parse(event, _PROTOCOL, {})
    return surfaces.whole(surfaces.ask(event, context, RERANK, body))
