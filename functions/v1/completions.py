"""OpenAI's older completions, for clients that still use them."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, JSON, Operation
from ai_gateway.surfaces.chat import ChatStream

_PROTOCOL = frozenset(
    {"max_tokens", "model", "n", "prompt", "stop", "stream", "stream_options", "suffix"}
)


API = Operation(
    body=bodies.Completion,
    reply=replies.CompletionReply,
    gives=(JSON, EVENTS),
    example={"model": "auto", "prompt": "Once upon a time", "max_tokens": 32},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The continuation by the model that is named, or chosen, whole or as a stream."""
    body = surfaces.parse(event, _PROTOCOL, {})
    answer = surfaces.ask(event, context, COMPLETIONS, body)
    return surfaces.render(answer, lambda: ChatStream(answer, body))
