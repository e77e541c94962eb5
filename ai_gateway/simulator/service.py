"""From a question to a reply: the table of paths, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from ai_gateway.simulator import (
    chat,
    completions,
    embeddings,
    guards,
    media,
    messages,
    ranking,
    reply,
    responses,
    tensors,
)
from ai_gateway.simulator.conversation import CONTEXT
from ai_gateway.simulator.endpoints import CLAUDE, Endpoint
from ai_gateway.simulator.entrances import Question, Request, Target
from ai_gateway.simulator.faults import REASONINGS, Reasoning
from ai_gateway.simulator.reply import ANTHROPIC, FLAT, OIP, OPENAI, RESPONSES, Dialect, Reply


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path, how it says that something failed, and whether the body has a model."""

    answer: Callable[[Question], Reply]
    dialect: Dialect = OPENAI
    model: bool = True


def parse(request: Request) -> dict[str, Any] | None:
    """The fields in a request's body, a JSON object or a form; None if there are none."""
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        return media.form(content_type, request.body)
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def dialect(target: Target, method: str = "POST") -> Dialect:
    """How the server behind ``target`` says that something failed."""
    if target.endpoint is CLAUDE:
        return ANTHROPIC
    route = ROUTES.get((method, target.path))
    return route.dialect if route else OPENAI


def answer(method: str, question: Question) -> Reply:
    """What the endpoint's server says to ``question``."""
    path = question.target.path
    route = ROUTES.get((method, path))
    served = path in question.endpoint.paths or path in _COMMON
    if route is None or not served:
        known = served and any(path == place for _, place in ROUTES)
        status, detail = (405, "Method Not Allowed") if known else (404, "Not Found")
        if question.endpoint is CLAUDE:
            return ANTHROPIC.error(status, detail)
        return reply.json({"detail": detail}, status)
    found = _with_model(question, route) if route.model else question
    return found if isinstance(found, Reply) else route.answer(found)


def _with_model(question: Question, route: Route) -> Question | Reply:
    """``question`` with the model that its body names, or what is said of a wrong name.

    Azure knows the model by its deployment. ``MODEL:think`` and the like is the model that thinks
    first, and shows it in that way.
    """
    known = question.endpoint.model_id
    model = question.body.get("model")
    if question.target.base == "deployments":
        model = known
    if not isinstance(model, str):
        return route.dialect.error(400, "model: the name of a model was expected.")
    name, _, thinks = model.partition(":")
    if name != known or thinks not in ("", *REASONINGS):
        flat = question.target.base == "v1" and route.dialect is OPENAI
        problem = f"The model `{model[:200]}` does not exist."
        return (FLAT if flat else route.dialect).error(404, problem)
    reasoning = cast("Reasoning | None", thinks or question.fault.reasoning)
    target = replace(question.target, model=model)
    return replace(question, target=target, fault=replace(question.fault, reasoning=reasoning))


def _models(question: Question) -> Reply:
    return reply.json({"object": "list", "data": [_entry(question.endpoint)]})


def _model(question: Question) -> Reply:
    if question.model != question.endpoint.model_id:
        problem = f"The model `{question.model[:200]}` does not exist."
        return dialect(question.target, "GET").error(404, problem)
    return reply.json(_entry(question.endpoint))


def _entry(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.model_id,
        "object": "model",
        "created": chat.CREATED,
        "owned_by": "simulator",
        "root": endpoint.model_id,
        "parent": None,
        "max_model_len": CONTEXT,
    }


def _ready(_: Question) -> Reply:
    return reply.json({"object": "health.response", "message": "Service is ready."})


def _live(_: Question) -> Reply:
    return Reply(200, (b"",))


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v1/health/ready"): Route(_ready, model=False),
    ("GET", "/v1/models"): Route(_models, model=False),
    ("GET", "/v1/models/{model}"): Route(_model, model=False),
    ("POST", "/v1/chat/completions"): Route(chat.completions),
    ("POST", "/v1/completions"): Route(completions.completions),
    ("POST", "/v1/responses"): Route(responses.responses, RESPONSES),
    ("POST", "/v1/messages"): Route(messages.messages, ANTHROPIC),
    ("POST", "/v1/messages/count_tokens"): Route(messages.count_tokens, ANTHROPIC),
    ("POST", "/v1/embeddings"): Route(embeddings.embeddings),
    ("POST", "/v1/rerank"): Route(ranking.rerank),
    ("POST", "/v1/ranking"): Route(ranking.ranking),
    ("POST", "/v1/images/generations"): Route(media.images),
    ("POST", "/v1/images/edits"): Route(media.edits),
    ("POST", "/v1/images/variations"): Route(media.variations),
    ("POST", "/v1/audio/speech"): Route(media.speech),
    ("POST", "/v1/audio/transcriptions"): Route(media.transcriptions),
    ("POST", "/v1/audio/translations"): Route(media.transcriptions),
    ("POST", "/v1/classify"): Route(guards.classify, model=False),
    ("GET", "/v2/health/live"): Route(_live, OIP, model=False),
    ("GET", "/v2/health/ready"): Route(_live, OIP, model=False),
    ("GET", "/v2/models/{model}"): Route(tensors.metadata, OIP, model=False),
    ("GET", "/v2/models/{model}/ready"): Route(tensors.ready, OIP, model=False),
    ("POST", "/v2/models/{model}/infer"): Route(tensors.infer, OIP, model=False),
}
#: What every endpoint has.
_COMMON = (
    "/v1/health/ready",
    "/v1/models",
    "/v1/models/{model}",
    "/v2/health/live",
    "/v2/health/ready",
)
