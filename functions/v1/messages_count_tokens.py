"""How many tokens a Messages request has, as Anthropic's API has it."""

from ai_gateway import surfaces
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.formats.tokens import COUNT_TOKENS
from ai_gateway.openapi import bodies, replies
from ai_gateway.openapi.operation import Operation
from ai_gateway.surfaces.messages import PROTOCOL, check

API = Operation(
    body=bodies.Countable,
    reply=replies.Count,
    example={"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]},
    asks_model=True,
)


def handle(event: Event, context: Context) -> Reply:
    """The count of a model that counts, or an estimate that says so."""
    body = surfaces.parse(event, PROTOCOL, {"messages": list})
    check(body)
    return surfaces.whole(surfaces.ask(event, context, COUNT_TOKENS, body))
