"""Anthropic's Messages API, for any client of it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, JSON, Operation
from ai_gateway.surfaces.messages import PROTOCOL, check
from ai_gateway.surfaces.sse import AnthropicStream

API = Operation(
    body=bodies.Messages,
    reply=replies.MessagesReply,
    gives=(JSON, EVENTS),
    example={
        "model": "auto",
        "max_tokens": 256,
        "messages": [{"role": "user", "content": "Say hello."}],
    },
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen, whole or as a stream."""
    body = surfaces.parse(event, PROTOCOL, {"messages": list})
    check(body)
    answer = surfaces.ask(event, context, MESSAGES, body)
    return surfaces.render(answer, lambda: AnthropicStream(answer))
