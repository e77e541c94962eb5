"""What was said in a recording, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.audio import TRANSCRIPTIONS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, FORM, JSON, Operation
from ai_gateway.surfaces import forms
from ai_gateway.surfaces.sse import EventStream

_PROTOCOL = frozenset(
    (
        *("model", "prompt", "response_format", "stream", "language", "temperature"),
        *("include[]", "timestamp_granularities[]", "chunking_strategy"),
    )
)


API = Operation(
    body=bodies.Transcription,
    takes=FORM,
    reply=replies.Transcript,
    gives=(JSON, EVENTS, "text/*"),
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The words that the model that is named, or chosen, heard, whole or as a stream."""
    form = forms.parse(event, _PROTOCOL, {"file"})
    forms.need(form, "file")
    answer = surfaces.ask(event, context, TRANSCRIPTIONS, form.body, form.files)
    return surfaces.render(answer, lambda: EventStream(answer))
