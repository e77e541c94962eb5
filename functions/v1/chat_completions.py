"""OpenAI's chat completions, for any client of that API."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.chat import CHAT
from ai_gateway.surfaces.chat import PROTOCOL, ChatStream, check


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen, whole or as a stream."""
    body = surfaces.parse(event, PROTOCOL, {"messages": list})
    check(body)
    answer = surfaces.ask(event, context, CHAT, body)
    return surfaces.render(answer, lambda: ChatStream(answer, body))
