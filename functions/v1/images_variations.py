"""Pictures like one that is given, as OpenAI's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.images import IMAGE_VARIATIONS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import FORM, Operation
from ai_gateway.surfaces import forms
from ai_gateway.surfaces.images import FILES, PROTOCOL

API = Operation(body=bodies.PictureVariation, takes=FORM, reply=replies.DataReply, asks_model=True)


def handle(event: Event, context: Context) -> Reply:
    """The pictures of the model that is named, or chosen."""
    form = forms.parse(event, PROTOCOL, FILES)
    forms.need(form, "image")
    return surfaces.whole(surfaces.ask(event, context, IMAGE_VARIATIONS, form.body, form.files))
