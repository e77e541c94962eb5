"""The original gateway's own surface: one text in, one model's answer out."""

from pydantic import BaseModel, ConfigDict

from ai_gateway.answer.call import Call
from ai_gateway.contract import Context, Event, Reply


class Question(BaseModel):
    """``{"inputs": text}``, and a model's name for who does not want it chosen."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: str
    model_name: str | None = None


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
