"""The Open Inference Protocol: tensors to a model that the path names, and tensors back."""

from ai_gateway import surfaces
from ai_gateway.answer.call import Call
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.infer import INFER
from ai_gateway.surfaces import tensors


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen where it is ``auto`` or a route."""
    body = tensors.parse(event)
    name = event.path_parameters["name"]
    return surfaces.whole(context.answer(Call(event, INFER.name, body, name, INFER)))
