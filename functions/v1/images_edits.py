"""Pictures changed as a prompt says, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.images import IMAGE_EDITS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import EVENTS, FORM, JSON, Operation
from ai_gateway.surfaces import forms
from ai_gateway.surfaces.images import FILES, PROTOCOL
from ai_gateway.surfaces.sse import NamedEventStream

API = Operation(
    body=bodies.PictureEdit,
    takes=FORM,
    reply=replies.DataReply,
    gives=(JSON, EVENTS),
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The pictures of the model that is named, or chosen, whole or as they become clear."""
    form = forms.parse(event, PROTOCOL, FILES)
    forms.need(form, "image", "image[]")
    forms.need(form, "prompt")
    answer = surfaces.ask(event, context, IMAGE_EDITS, form.body, form.files)
    return surfaces.render(answer, lambda: NamedEventStream(answer))
