"""Should traffic come here? The bundle, the record store and the models, each with how it is."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.manifest.problem import counted
from ai_gateway.openapi.operation import Operation


class Readiness(TypedDict):
    """How the parts are; what is wrong is a warning."""

    status: str
    bundle: str
    records: str
    models: str
    weights: str | None


API = Operation(reply=Readiness)


def handle(_event: Event, context: Context) -> Reply:
    """200 while requests can be served. What is wrong is counted here, and told in the log."""
    problems = context.state.problems
    alone = sum(circuit.state != "closed" for _, circuit in context.circuits)
    return Reply(
        {
            "status": "ok",
            "bundle": f"the one on disk has {counted(problems)}" if problems else "current",
            "records": context.records.status()["alert"] or "ok",
            "models": f"{alone} left alone after failures" if alone else "ok",
            "weights": context.weights.current.id,
        }
    )
