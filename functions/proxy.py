"""What stands behind a route with a target: a legacy ML API, a vector database."""

from ai_gateway.answer.call import Call
from ai_gateway.contract import Context, Event, Reply


def handle(event: Event, context: Context) -> Reply:
    """Pass it on, under the same key, limits, guardrails and record as a model."""
    answer = context.answer(Call(event, "proxy"))
    return Reply(answer.body, status=answer.status, headers=answer.headers)
