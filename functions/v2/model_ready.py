"""The Open Inference Protocol's question whether a model can be asked."""

from ai_gateway.access.allowed import may_ask
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import UnknownModel


def handle(event: Event, context: Context) -> Reply:
    """Whether the bundle has it; the model itself is not asked, since that could start it."""
    name = event.path_parameters["name"]
    model = context.manifest.models.get(name)
    if model is None or model.dialect != "oip" or not may_ask(name, event.caller):
        raise UnknownModel(f"There is no model {name[:64]!r} that takes tensors.", param="name")
    return Reply({"name": name, "ready": True})
