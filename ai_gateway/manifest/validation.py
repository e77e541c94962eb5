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
    for detail in details:
        location, kind = detail["loc"], detail["type"]
        known = document.known(location)
        if kind == "extra_forbidden":
            found = f"the unknown key {str(location[-1])[:40]!r}"
            yield document.problem(known, found, _known_key(model, location))
        elif kind == "missing":
            yield document.problem((*known, location[-1]), "nothing", "a value, as it is required")
        elif kind.startswith("union_tag"):
            yield _unknown_tag(document, known, detail["ctx"])
        else:
            yield document.problem(known, document.found(known), _wanted(detail["msg"]))


def _unknown_tag(document: Document, known: Location, context: dict[str, Any]) -> Problem:
    """No member of a union has the tag that the mapping at ``known`` has, or it has none."""
    location = (*known, context["discriminator"].strip("'"))
    if "tag" not in context:
        return document.problem(location, "nothing", "a value, as it is required")
    return document.problem(
        location, document.found(location), f"one of {context['expected_tags']}"
    )


def _wanted(message: str) -> str:
    for opening in ("Value error, ", "Assertion failed, ", "Input should be "):
        message = message.removeprefix(opening)
    return message


def _known_key(model: type[pydantic.BaseModel], location: Location) -> str:
    names = _keys(model.model_json_schema(), location[:-1])
    near = difflib.get_close_matches(str(location[-1])[:100], names, n=1)
    return f"{near[0]!r}" if near else "one of " + ", ".join(names)


def _keys(schema: dict[str, Any], location: Location) -> list[str]:
    """The keys that ``schema`` knows at ``location``, in its own order."""
    nodes = [schema]
    for part in location:
        here = [member for node in nodes for member in _members(schema, node)]
        below = [child for node in here for child in _children(node, part)]
        nodes = below or [node for node in here if _tagged(node, part)]
    here = [member for node in nodes for member in _members(schema, node)]
    return list(dict.fromkeys(key for node in here for key in node.get("properties", {})))


def _members(schema: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """``node`` itself, or what it refers to or is a choice of."""
    if "$ref" in node:
        return _members(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    choices = [choice for name in ("anyOf", "oneOf") for choice in node.get(name, ())]
    return [member for choice in choices for member in _members(schema, choice)] or [node]


def _children(node: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(part, int):
        child = node.get("items")
    else:
        child = node.get("properties", {}).get(part, node.get("additionalProperties"))
    if isinstance(child, dict):
        yield child


def _tagged(node: dict[str, Any], tag: str | int) -> bool:
    """Whether ``tag`` is the constant by which a union knows this member."""
    return any(child.get("const") == tag for child in node.get("properties", {}).values())
