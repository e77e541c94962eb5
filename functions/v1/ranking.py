"""Passages in the order of their bearing on a query, as NVIDIA's NIM has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.rerank import RANKING

_PROTOCOL = frozenset({"model", "passages", "query", "truncate"})


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen."""
    body = surfaces.parse(event, _PROTOCOL, {})
    return surfaces.whole(surfaces.ask(event, context, RANKING, body))
