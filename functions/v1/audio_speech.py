"""A text spoken, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.audio import SPEECH
from ai_gateway.openapi import bodies
from ai_gateway.openapi.operation import Operation

_PROTOCOL = frozenset(
    {"input", "instructions", "model", "response_format", "speed", "stream_format", "voice"}
)


API = Operation(
    body=bodies.Speech,
    gives=("*/*",),
    example={"model": "auto", "input": "Hello.", "voice": "alloy"},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The sound of the model that is named, or chosen, as it comes."""
    body = surfaces.parse(event, _PROTOCOL, {"input": str})
    return surfaces.whole(surfaces.ask(event, context, SPEECH, body))
