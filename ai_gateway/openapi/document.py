"""The document: every route in force that the caller may call, with all that it may answer."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus
from types import ModuleType
from typing import Any, Final

import pydantic

from ai_gateway import __version__
from ai_gateway.access.identity import permits
from ai_gateway.contract import Caller
from ai_gateway.control.access import EVERYTHING
from ai_gateway.manifest.functions import PROXY, resolve
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.openapi import failures
from ai_gateway.openapi.operation import JSON, Operation, Shape, operation
from ai_gateway.openapi.security import SCHEMES, security

VERSION: Final = "3.1.1"
_REF: Final = "#/components/schemas/{model}"
_BODIES: Final = ("POST", "PUT", "PATCH")
_BELOW: Final = "below"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_HEADERS: Final = {
    "x-request-id": ("The gateway's own id of the request, as the records have it.", True),
    "request-id": ("The same, where Anthropic's SDKs look for it.", True),
    "retry-after": ("Seconds until it is worth trying again.", False),
    "www-authenticate": ("How to authenticate (RFC 9110, 11.6.1).", True),
}
_ABOUT: Final = (
    "The routes of the bundle in force that this caller may call. Every reply carries "
    "`x-request-id`."
)
_REST: Final = {
    "description": "All of the rest of the path, slashes too.",
    "x-rest-of-path": True,
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the bundle as the caller has seen it, or `*`.",
    "schema": {"type": "string"},
    "example": "*",
}
_SAY_JSON: Final = "Send `Content-Type: application/json`, also without a body."


@dataclass(frozen=True, slots=True)
class Served:
    """One method of one route, on the path by which the document tells it."""

    route: Route
    method: str
    path: str
    #: What its function declares; None where that does not say, and for a target.
    operation: Operation | None
    module: ModuleType

    @property
    def name(self) -> str:
        """Unique: a route's name has no capital letters."""
        below = "_below" if self.path.endswith(f"/{{{_BELOW}}}") and self.route.target else ""
        return f"{self.route.name}_{self.method}{below}"


def document(manifest: Manifest, caller: Caller) -> dict[str, Any]:
    """OpenAPI 3.1 for ``caller``: of what he may not call, nothing is told."""
    served = list(_alike(each for each in _served(manifest.routes) if _may(each, caller)))
    shapes = Shapes([each.operation for each in served if each.operation])
    paths: dict[str, dict[str, Any]] = {}
    for each in served:
        paths.setdefault(each.path, {}).setdefault(each.method.lower(), _told(each, shapes))
    used = sorted({_answer(status, each) for each in served for status in _failures(each)})
    errors = {f"error-{name}": schema for name, schema in failures.SCHEMAS.items()}
    return {
        "openapi": VERSION,
        "info": {"title": "AI gateway", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, served))],
        "paths": paths,
        "components": {
            "schemas": {**shapes.definitions, **errors},
            "responses": {called: failures.response(called) for called in used},
            "headers": {
                name: _header(said, always=always) for name, (said, always) in _HEADERS.items()
            },
            "securitySchemes": SCHEMES,
        },
    }


def _served(routes: Iterable[Route]) -> Iterator[Served]:
    """Every method of every route."""
    for route in routes:
        spec = route.function or PROXY
        resolve(spec)
        module = sys.modules[spec.partition(":")[0]]
        for path in _paths(route):
            for method in route.methods:
                yield Served(route, method, path, operation(module, method), module)


def _alike(served: Iterable[Served]) -> Iterator[Served]:
    """OpenAPI takes paths that differ in the names of parameters alone for the same."""
    spelled: dict[str, str] = {}
    for each in served:
        yield replace(each, path=spelled.setdefault(_PARAMETER.sub("{}", each.path), each.path))


def _paths(route: Route) -> Iterator[str]:
    path = route.path.replace(":path}", "}")
    yield path
    if route.target:
        yield f"{path.rstrip('/')}/{{{_BELOW}}}"


def _may(served: Served, caller: Caller) -> bool:
    wanted = served.operation.scope if served.operation else ""
    scoped = caller.admin or not wanted or {wanted, EVERYTHING} & (caller.scopes or frozenset())
    return bool(scoped) and permits(served.route, caller)


class Shapes:
    """The schemas of all shapes at once, so that each stands once under its own name."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted = [shape for each in operations for shape in (each.body, each.query, each.reply)]
        adapters = {id(shape): _adapter(shape) for shape in wanted if shape is not None}
        inputs = [(key, "validation", adapter) for key, adapter in adapters.items()]
        self._found, found = pydantic.TypeAdapter.json_schemas(
            inputs,  # type: ignore[arg-type] # a literal, which a list does not show
            ref_template=_REF,
        )
        self.definitions: dict[str, Any] = found.get("$defs", {})

    def of(self, shape: Shape) -> dict[str, Any]:
        """The schema of one; any object for None."""
        if shape is None:
            return {"type": "object"}
        return self._found[id(shape), "validation"]

    def fields(self, shape: Shape) -> Iterator[tuple[str, dict[str, Any], bool]]:
        """The fields of an object: name, schema, and whether it must be there."""
        schema = self.of(shape)
        schema = self.definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)
        for name, each in schema.get("properties", {}).items():
            yield name, each, name in schema.get("required", ())


@cache
def _adapter(shape: Shape) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(shape)


def _told(served: Served, shapes: Shapes) -> dict[str, Any]:
    """One operation."""
    found = {
        "operationId": served.name,
        "tags": [_tag(served)],
        "summary": _plain(served.module.__doc__).partition("\n")[0].rstrip("."),
        "description": _description(served),
        "parameters": list(_parameters(served, shapes)),
        "responses": {**_answers(served, shapes), **_refusals(served)},
        "security": security(served.route),
    }
    if body := _body(served, shapes):
        found["requestBody"] = body
    return found


def _tag(served: Served) -> str:
    module = served.module.__name__
    if served.route.target:
        return "Targets"
    if module.startswith("functions.v1."):
        return "Anthropic's API" if served.route.errors == "anthropic" else "OpenAI's API"
    if module.startswith("functions.v2."):
        return "Open Inference Protocol"
    return "Administration" if module.startswith("functions.admin.") else "Gateway"


def _description(served: Served) -> str:
    if served.route.target:
        return "Passed on as it is to what stands behind this path; its answer comes back as it is."
    said, declared = (
        [_plain(inspect.getdoc(getattr(served.module, "handle", None)))],
        served.operation,
    )
    if declared and declared.scope:
        said.append(f"Takes an administrator, or the scope `{declared.scope}`.")
    elif served.route.scopes:
        said.append(f"Takes the scope `{'`, `'.join(served.route.scopes)}`.")
    if declared and HTTPStatus.UNSUPPORTED_MEDIA_TYPE in declared.errors:
        said.append(_SAY_JSON)  # what a form of another site cannot
    return "\n\n".join(said)


def _plain(text: str | None) -> str:
    """A docstring's code as Markdown has it."""
    return (text or "").replace("``", "`").strip()


def _parameters(served: Served, shapes: Shapes) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(served.path):
        found = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        whole = f"{{{name}:path}}" in served.route.path or name == _BELOW
        yield {**found, **_REST} if whole else found
    if served.operation and served.operation.query is not None:
        for name, schema, required in shapes.fields(served.operation.query):
            yield {"name": name, "in": "query", "required": required, "schema": _given(schema)}
    if served.operation and served.operation.versioned:
        yield _IF_MATCH


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """A query's field is there or is not: it is never null."""
    options = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(options) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**rest, **options[0]}


def _body(served: Served, shapes: Shapes) -> dict[str, Any] | None:
    declared = served.operation
    if declared is None:
        content: dict[str, Any] = {"*/*": {}}
        return {"content": content} if served.method in _BODIES else None
    if declared.body is None:
        return None
    media: dict[str, Any] = {"schema": shapes.of(declared.body)}
    if declared.example is not None:
        media["example"] = declared.example
    return {"required": not declared.optional, "content": {declared.takes: media}}


def _answers(served: Served, shapes: Shapes) -> dict[str, Any]:
    """What is answered where nothing is refused."""
    declared, headers = served.operation, _signed(served)
    if declared is None:
        said = "Whatever the function or the target answers."
        return {"default": {"description": said, "headers": headers, "content": {"*/*": {}}}}
    found: dict[str, Any] = {}
    for status in declared.statuses:
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": headers}
        if status < HTTPStatus.NO_CONTENT:
            answer["content"] = {
                media: {"schema": shapes.of(declared.reply)} if media == JSON else {}
                for media in declared.gives
            }
        found[str(status)] = answer
    return found


def _signed(served: Served) -> dict[str, Any]:
    names = ["x-request-id", *(["request-id"] if served.route.errors == "anthropic" else ())]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusals(served: Served) -> dict[str, Any]:
    return {
        status: {"$ref": f"#/components/responses/{_answer(status, served)}"}
        for status in _failures(served)
    }


def _failures(served: Served) -> list[str]:
    return [] if served.route.target else list(failures.statuses(served.operation))


def _answer(status: str, served: Served) -> str:
    return failures.name(status, served.route.errors)


def _header(said: str, *, always: bool) -> dict[str, Any]:
    return {"description": said, "required": always, "schema": {"type": "string"}}
