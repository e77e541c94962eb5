"""What was said in a recording, in English, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.audio import TRANSLATIONS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import FORM, JSON, Operation
from ai_gateway.surfaces import forms

_PROTOCOL = frozenset({"model", "prompt", "response_format", "temperature"})


API = Operation(
    body=bodies.Translation,
    takes=FORM,
    reply=replies.Transcript,
    gives=(JSON, "text/*"),
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The words that the model that is named, or chosen, heard."""
    form = forms.parse(event, _PROTOCOL, {"file"})
    forms.need(form, "file")
    return surfaces.whole(surfaces.ask(event, context, TRANSLATIONS, form.body, form.files))
