"""The Open Inference Protocol: tensors to a model that the path names, and tensors back."""

from ai_gateway import surfaces
from ai_gateway.answer.call import Call
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.infer import INFER
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import Operation
from ai_gateway.surfaces import tensors

API = Operation(
    body=bodies.Infer,
    reply=replies.InferReply,
    example={"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]}]},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The answer of the model that is named, or chosen where it is ``auto`` or a route."""
    body = tensors.parse(event)
    name = event.path_parameters["name"]
    return surfaces.whole(context.answer(Call(event, INFER.name, body, name, INFER)))
