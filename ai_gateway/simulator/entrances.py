"""Where a path leads, and what the ingress before it says to a request without good credentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ai_gateway.simulator import reply
from ai_gateway.simulator.endpoints import CLAUDE, ENDPOINTS, Endpoint
from ai_gateway.simulator.faults import NONE, Fault
from ai_gateway.simulator.reply import Reply

_CLOUDERA = re.compile(
    r"/namespaces/serving-default/endpoints/(?P<name>[^/]+)"
    r"(?:/simulate/(?P<directive>[^/]+))?/(?P<base>openai/v1|v1|v2)(?P<route>/.*)"
)
_ANTHROPIC = re.compile(
    r"/(?P<name>anthropic)(?:/simulate/(?P<directive>[^/]+))?/(?P<base>v1)(?P<route>/.*)"
)
_AZURE = re.compile(
    r"/azure(?:/simulate/(?P<directive>[^/]+))?"
    r"/openai/(?P<base>deployments)/(?P<name>[^/]+)(?P<route>/.*)"
)
_LAYOUTS = ((_CLOUDERA, ENDPOINTS), (_AZURE, ENDPOINTS), (_ANTHROPIC, {CLAUDE.name: CLAUDE}))
#: Of Anthropic's API; the newest refuses what the one before took.
VERSIONS = ("2023-06-01", "2026-10-21")
_MODEL = re.compile(r"/models/(?P<model>.+?)(?P<verb>/infer|/ready)?")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are in lower case; they stay out of ``repr``."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for: an endpoint, the path in the table of routes, and what is in it."""

    endpoint: Endpoint
    base: str
    path: str
    model: str | None = None
    directive: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a route's function works with: the parsed body, and what steers the answer."""

    target: Target
    body: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    fault: Fault = NONE
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def endpoint(self) -> Endpoint:
        """Whom it is put to."""
        return self.target.endpoint

    @property
    def model(self) -> str:
        """The model's id as the caller wrote it."""
        return self.target.model or self.endpoint.model_id


def refusal(request: Request) -> Reply | None:
    """What stands in the way of ``request``, None if its credentials are good."""
    return _guard(request)(request)


def target(path: str) -> Target | None:
    """Where ``path`` leads, None if no ingress knows such an endpoint."""
    place = urlsplit(path).path
    return next((_target(found, known) for layout, known in _LAYOUTS
                 if (found := layout.fullmatch(place))), None)  # fmt: skip


def _target(found: re.Match[str], known: Mapping[str, Endpoint]) -> Target | None:
    endpoint, base = known.get(found["name"]), found["base"]
    if endpoint is None or base not in (*endpoint.bases, "deployments"):
        return None
    version = "v2" if base == "v2" else "v1"
    directive = unquote(found["directive"]) if found["directive"] else None
    model = _MODEL.fullmatch(found["route"])
    if model is None:
        return Target(endpoint, base, f"/{version}{found['route']}", directive=directive)
    path = f"/{version}/models/{{model}}{model['verb'] or ''}"
    return Target(endpoint, base, path, unquote(model["model"]), directive)


def _guard(request: Request) -> Callable[[Request], Reply | None]:
    if request.path.startswith("/anthropic/"):
        return _anthropic
    return _azure if request.path.startswith("/azure/") else _bearer


def _bearer(request: Request) -> Reply | None:
    """Istio, in plain text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return reply.plain(401)
    return reply.plain(401, "Jwt is expired") if token.startswith("expired") else None


def _anthropic(request: Request) -> Reply | None:
    """A key in either header: the clients of 2026 send it as a bearer token."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    key = request.headers.get("x-api-key", bearer)
    if not key:
        return reply.ANTHROPIC.error(401, "x-api-key header is required")
    if key.startswith("expired"):
        return reply.ANTHROPIC.error(401, "invalid x-api-key")
    version = request.headers.get("anthropic-version")
    if version not in VERSIONS:
        return reply.ANTHROPIC.error(400, f"anthropic-version: {version!r} is no valid version")
    return None


def _azure(request: Request) -> Reply | None:
    key = request.headers.get("api-key", "")
    if not key or key.startswith("expired"):
        message = "Access denied due to invalid subscription key or wrong API endpoint."
        return reply.json({"error": {"code": "401", "message": message}}, 401)
    if "api-version" not in parse_qs(urlsplit(request.path).query):
        return reply.json({"error": {"code": "404", "message": "Resource not found"}}, 404)
    return None
