"""Vectors for texts, from an embeddings model."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.embeddings import EMBEDDINGS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import Operation

_PROTOCOL = frozenset({"encoding_format", "input", "input_type", "messages", "model", "truncate"})


API = Operation(
    body=bodies.Embeddings,
    reply=replies.DataReply,
    example={"model": "auto", "input": ["a text"]},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen."""
    body = surfaces.parse(event, _PROTOCOL, {})
    return surfaces.whole(surfaces.ask(event, context, EMBEDDINGS, body))
