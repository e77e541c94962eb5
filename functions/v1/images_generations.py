"""Pictures from a prompt, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.images import IMAGES
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, JSON, Operation
from ai_gateway.surfaces.images import PROTOCOL
from ai_gateway.surfaces.sse import NamedEventStream

API = Operation(
    body=bodies.Picture,
    reply=replies.DataReply,
    gives=(JSON, EVENTS),
    example={"model": "auto", "prompt": "a lighthouse"},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The pictures of the model that is named, or chosen, whole or as they become clear."""
    body = surfaces.parse(event, PROTOCOL, {"prompt": str})
    answer = surfaces.ask(event, context, IMAGES, body)
    return surfaces.render(answer, lambda: NamedEventStream(answer))
