"""What a pydantic model finds wrong in a document, as problems with their lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, TypeVar

import pydantic
from pydantic_core import ErrorDetails

from ai_gateway.manifest.located import Document, Location
from ai_gateway.manifest.problem import Problem

Model = TypeVar("Model", bound=pydantic.BaseModel)


def validate(document: Document, model: type[Model]) -> tuple[Model | None, list[Problem]]:
    """``document`` as ``model``, with every problem of both, the document's own first.

    The model is None when its value does not fit. Where it fits but the document has problems of
    its own (a key twice, a variable that is not set), both come back, so that a caller can go on
    looking for further problems; a document is right only when there are none.
    """
    problems = list(document.problems)
    if not document.readable:
        return None, problems
    try:
        return model.model_validate(document.value), problems
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    return None, problems + _new(problems, _problems(document, model, details))


def _new(known: list[Problem], found: Iterator[Problem]) -> list[Problem]:
    """One problem a place: the members of a union each say what they want of the same value."""
    places = {(problem.line, problem.key) for problem in known}
    merged: dict[tuple[int | None, str], list[Problem]] = {}
    for problem in found:
        if (place := (problem.line, problem.key)) not in places:
            merged.setdefault(place, []).append(problem)
    return [_merge(problems) for problems in merged.values()]


def _merge(problems: list[Problem]) -> Problem:
    first = problems[0]
    wanted = ", or ".join(dict.fromkeys(problem.wanted for problem in problems))
    return Problem(first.file, first.line, first.key, first.found, wanted)


def _problems(
    document: Document, model: type[pydantic.BaseModel], details: list[ErrorDetails]
) -> Iterator[Problem]:
    schema = model.model_json_schema()
    failed = [detail["loc"] for detail in details]
    for detail in details:
        location, node = _locate(schema, detail["loc"])
        known, kind = document.known(location), detail["type"]
        if kind == "extra_forbidden":
            found = f"the unknown key {str(location[-1])[:40]!r}"
            yield document.problem(known, found, _known_key(str(location[-1]), node))
        elif kind == "missing":
            place = (*document.known(location[:-1]), location[-1])
            yield document.problem(place, "nothing", "a value, as it is required")
        elif kind.startswith("union_tag"):
            yield _unknown_tag(document, known, detail["ctx"])
        elif kind != "too_short" or not _has_failed_items(detail["loc"], failed):
            yield document.problem(known, document.found(known), _wanted(detail))


def _has_failed_items(location: Location, failed: list[Location]) -> bool:
    """Pydantic counts only the items that fit, and then finds the list too short."""
    return any(len(at) > len(location) and at[: len(location)] == location for at in failed)


def _unknown_tag(document: Document, known: Location, context: dict[str, Any]) -> Problem:
    """No member of a union has the tag that the mapping at ``known`` has, or it has none."""
    location = (*known, context["discriminator"].strip("'"))
    if "tag" not in context:
        return document.problem(location, "nothing", "a value, as it is required")
    wanted = f"one of {context['expected_tags']}"
    return document.problem(location, document.found(location), wanted)


#: How messages open, and what an operator calls it.
_WORDING = {
    "Value error, ": "",
    "Assertion failed, ": "",
    "Input should be a valid dictionary": "a mapping",
    "Input should be a valid tuple": "a list",
    "Input should be a valid list": "a list",
    "Input should be ": "",
}


def _wanted(detail: ErrorDetails) -> str:
    if detail["type"] in {"too_short", "too_long"}:
        bound, count = next(item for item in detail["ctx"].items() if item[0].endswith("_length"))
        return f"at {'least' if bound.startswith('min') else 'most'} {count} of them"
    for opening, wording in _WORDING.items():
        if detail["msg"].startswith(opening):
            return wording or detail["msg"].removeprefix(opening)
    return detail["msg"]


def _known_key(key: str, names: list[str]) -> str:
    near = difflib.get_close_matches(key[:100], names, n=1)
    return f"{near[0]!r}" if near else "one of " + ", ".join(names)


def _locate(schema: dict[str, Any], location: Location) -> tuple[Location, list[str]]:
    """``location`` without the tags of unions, and the keys known where its last part stands."""
    nodes = [schema]
    path: Location = ()
    for part in location[:-1]:
        if tags := [_tags(node)[part] for node in nodes if part in _tags(node)]:
            nodes = [_referred(schema, tag) for tag in tags]
        else:
            members = [member for node in nodes for member in _members(schema, node)]
            nodes = [child for node in members for child in _children(node, part)]
            path = (*path, part)
    last = location[-1:]
    if any(part in _tags(node) for part in last for node in nodes):
        last = ()
    members = [member for node in nodes for member in _members(schema, node)]
    keys = dict.fromkeys(key for node in members for key in node.get("properties", {}))
    return (*path, *last), list(keys)


def _members(schema: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """``node`` itself, or what it refers to or is a choice of."""
    if "$ref" in node:
        return _members(schema, _referred(schema, node["$ref"]))
    choices = [choice for name in ("anyOf", "oneOf") for choice in node.get(name, ())]
    return [member for choice in choices for member in _members(schema, choice)] or [node]


def _referred(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    definition: dict[str, Any] = schema["$defs"][reference.rpartition("/")[2]]
    return definition


def _children(node: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(part, int):
        child = node.get("items")
    else:
        child = node.get("properties", {}).get(part, node.get("additionalProperties"))
    if isinstance(child, dict):
        yield child


def _tags(node: dict[str, Any]) -> dict[str | int, str]:
    """The tags of a union's members, each with the reference to its member."""
    mapping: dict[str | int, str] = node.get("discriminator", {}).get("mapping", {})
    return mapping
