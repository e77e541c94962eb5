"""OpenAI's Responses API, stateless, for any client of it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.responses import RESPONSES
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, JSON, Operation
from ai_gateway.surfaces.sse import ResponsesStream

_PROTOCOL = frozenset(
    {
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "previous_response_id",
        "reasoning",
        "stream",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
    }
)


API = Operation(
    body=bodies.Responses,
    reply=replies.ResponsesReply,
    gives=(JSON, EVENTS),
    example={"model": "auto", "input": "Say hello."},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen, whole or as a stream."""
    body = surfaces.parse(event, _PROTOCOL, {})
    answer = surfaces.ask(event, context, RESPONSES, body)
    return surfaces.render(answer, lambda: ResponsesStream(answer))
