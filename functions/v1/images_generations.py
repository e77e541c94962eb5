"""Pictures from a prompt, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.images import IMAGES
from ai_gateway.surfaces.images import PROTOCOL
from ai_gateway.surfaces.sse import NamedEventStream


def handle(event: Event, context: Context) -> Reply:
    """The pictures of the model that is named, or chosen, whole or as they become clear."""
    body = surfaces.parse(event, PROTOCOL, {"prompt": str})
    answer = surfaces.ask(event, context, IMAGES, body)
    return surfaces.render(answer, lambda: NamedEventStream(answer))
