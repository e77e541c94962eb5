"""From a request to a reply: the layout of the paths, the bearer token, and what each path does.

A new surface (embeddings, ranking, responses, messages) is one line in ``ROUTES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from ai_gateway.simulator import chat, reply
from ai_gateway.simulator.endpoints import ENDPOINTS, Endpoint
from ai_gateway.simulator.reply import Reply

#: /namespaces/serving-default/endpoints/NAME[/simulate/DIRECTIVE]/BASE/ROUTE
_LAYOUT = re.compile(
    r"/namespaces/serving-default/endpoints/(?P<name>[^/]+)"
    r"(?:/simulate/(?P<directive>[^/]+))?/(?P<base>openai/v1|v1)(?P<route>/.*)"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are in lower case; they stay out of ``repr``."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for: an endpoint, the route below its base, and the path's directive."""

    endpoint: Endpoint
    base: str
    route: str
    directive: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """What a route's function works with: the parsed body, and what steers the answer."""

    target: Target
    body: dict[str, Any]
    seed: int = 0
    say: str | None = None


def refusal(request: Request) -> Reply | None:
    """What the ingress says to a request without a good token, in plain text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return reply.plain(401)
    return reply.plain(401, "Jwt is expired") if token.startswith("expired") else None


def target(path: str) -> Target | None:
    """Where ``path`` leads, None if the ingress knows no such endpoint."""
    found = _LAYOUT.fullmatch(urlsplit(path).path)
    endpoint = ENDPOINTS.get(found["name"]) if found else None
    if not found or not endpoint or found["base"] not in endpoint.bases:
        return None
    directive = unquote(found["directive"]) if found["directive"] else None
    return Target(endpoint, found["base"], found["route"], directive)


def parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object in ``body``, None if there is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def answer(method: str, question: Question) -> Reply:
    """What the endpoint's server says to ``question``."""
    route = question.target.route
    if (method, route) in ROUTES:
        return ROUTES[method, route](question)
    if any(route == path for _, path in ROUTES):
        return reply.json({"detail": "Method Not Allowed"}, 405)
    return reply.json({"detail": "Not Found"}, 404)


def _completions(question: Question) -> Reply:
    model = question.body.get("model")
    if not isinstance(model, str):
        return reply.error(400, "model: the name of a model was expected.")
    if model != question.target.endpoint.model_id:
        flat = question.target.base == "v1"
        return reply.error(404, f"The model `{model[:200]}` does not exist.", flat=flat)
    return chat.completions(question.target.endpoint, question.body, question.seed, question.say)


def _models(question: Question) -> Reply:
    model_id = question.target.endpoint.model_id
    entry = {
        "id": model_id,
        "object": "model",
        "created": chat.CREATED,
        "owned_by": "simulator",
        "root": model_id,
        "parent": None,
        "max_model_len": chat.CONTEXT,
    }
    return reply.json({"object": "list", "data": [entry]})


def _ready(_: Question) -> Reply:
    return reply.json({"object": "health.response", "message": "Service is ready."})


ROUTES: dict[tuple[str, str], Callable[[Question], Reply]] = {
    ("GET", "/health/ready"): _ready,
    ("GET", "/models"): _models,
    ("POST", "/chat/completions"): _completions,
}
