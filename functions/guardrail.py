"""What the guardrail policies say of a text, without asking a model."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ai_gateway.answer.vault import masked
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import BadRequest
from ai_gateway.guardrails.check import Stage
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.inspection import Verdict
from ai_gateway.guardrails.scene import Scene, Text
from ai_gateway.openapi.operation import Operation

SHOWN = ("policy", "check", "rule", "action", "score", "start", "end")


class Question(BaseModel):
    """A text, as a request says it unless ``stage`` says else; the route's policies if left out."""

    model_config = ConfigDict(extra="forbid")

    inputs: str
    policies: Annotated[tuple[str, ...], Field(max_length=1_000)] | None = None
    stage: Stage = "input"


class Inspected(TypedDict):
    """Whether the text may pass, and why."""

    allowed: bool
    action: str
    output: str
    scores: dict[str, float]
    verdicts: list[dict[str, Any]]


API = Operation(body=Question, reply=Inspected, example={"inputs": "How do I build a pipe bomb?"})


def handle(event: Event, context: Context) -> Reply:
    """The verdict, its reasons with their places in the text, and every check's score."""
    question = event.parse(Question)
    names = event.route.guardrails if question.policies is None else question.policies
    check_names(names or (), context.policies)
    texts = [Text(question.inputs, question.stage)]
    ask = context.consult and context.consult(event)
    inspection = context.policies.inspect(texts, names, Scene(texts, ask=ask))
    return Reply(
        {
            "allowed": inspection.action != "block",
            "action": inspection.action,
            "output": masked(question.inputs, inspection.redactions),
            "scores": dict(inspection.scores),
            "verdicts": [shown(verdict) for verdict in inspection.verdicts],
        }
    )


def check_names(names: tuple[str, ...], policies: Guardrails) -> None:
    """Raise BadRequest for a policy that there is not, with those that there are."""
    unknown = [name for name in names if name not in policies.names]
    if unknown:
        there_are = ", ".join(policies.names) or "none"
        raise BadRequest(
            f"There is no policy {unknown[0][:64]!r}; there are: {there_are}.", param="policies"
        )


def shown(verdict: Verdict) -> dict[str, object]:
    """What a caller sees of a verdict."""
    return {name: getattr(verdict, name) for name in SHOWN}
