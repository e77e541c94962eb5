"""OpenAI's chat completions, for any client of that API."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.chat import CHAT
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, JSON, Operation
from ai_gateway.surfaces.chat import PROTOCOL, ChatStream, check

API = Operation(
    body=bodies.Chat,
    reply=replies.ChatReply,
    gives=(JSON, EVENTS),
    example={"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen, whole or as a stream."""
    body = surfaces.parse(event, PROTOCOL, {"messages": list})
    check(body)
    answer = surfaces.ask(event, context, CHAT, body)
    return surfaces.render(answer, lambda: ChatStream(answer, body))
