"""The Open Inference Protocol's question whether a model can be asked."""

from typing_extensions import TypedDict

from ai_gateway.access.allowed import may_ask
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import UnknownModel
from ai_gateway.openapi.operation import Operation


class Ready(TypedDict):
    """That the bundle has the model."""

    name: str
    ready: bool


API = Operation(reply=Ready, errors=(404,))


def handle(event: Event, context: Context) -> Reply:
    """Whether the bundle has it; the model itself is not asked, since that could start it."""
    name = event.path_parameters["name"]
    model = context.manifest.models.get(name)
    if model is None or model.dialect != "oip" or not may_ask(name, event.caller):
        raise UnknownModel(f"There is no model {name[:64]!r} that takes tensors.", param="name")
    return Reply({"name": name, "ready": True})
