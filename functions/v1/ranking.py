"""Passages in the order of their bearing on a query, as NVIDIA's NIM has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.rerank import RANKING
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import Operation

_PROTOCOL = frozenset({"model", "passages", "query", "truncate"})


API = Operation(
    body=bodies.Ranking,
    reply=replies.RankingReply,
    example={"model": "auto", "query": {"text": "cats"}, "passages": [{"text": "of dogs"}]},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen."""
    body = surfaces.parse(event, _PROTOCOL, {})
    return surfaces.whole(surfaces.ask(event, context, RANKING, body))
