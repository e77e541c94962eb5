"""The original gateway's own surface: one text in, one model's answer out."""

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from ai_gateway.answer.call import Call
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Question(BaseModel):
    """``{"inputs": text}``, and a model's name for who does not want it chosen."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: str
    model_name: str | None = None


class Answered(TypedDict):
    """What the model said, and which one it was."""

    request_id: str
    model: str
    output: str


API = Operation(
    body=Question,
    reply=Answered,
    example={"inputs": "What is a finite state machine?"},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """Ask, and say who answered."""
    question = event.parse(Question)
    messages = [{"role": "user", "content": question.inputs}]
    answer = context.answer(
        Call(event, "inference", {"messages": messages}, model=question.model_name)
    )
    return Reply(
        {"request_id": event.request_id, "model": answer.model, "output": answer.text},
        headers=answer.headers,
    )
