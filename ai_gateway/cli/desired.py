"""The short form of a bundle that ``apply`` reads: routes, and who may call them how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ai_gateway.client.values import several
from ai_gateway.manifest import document
from ai_gateway.manifest.units import rate

Entry = dict[str, Any]

#: What the admin API takes of a route.
ROUTE: Final = (
    "name",
    "path",
    "target",
    "methods",
    "auth",
    "scopes",
    "rateLimit",
    "guardrails",
    "privacy",
    "timeout",
    "max_body",
    "errors",
)
SECURITY: Final = ("endpoint", "auth", "rateLimit")
_TEXTS: Final = ("methods", "auth", "scopes", "guardrails")
_SAME: Final = {"method": "methods", "authType": "auth"}


def read(file: Path) -> list[Entry]:
    """Each route with its security, then endpoints that have security alone.

    Raises ValueError with every problem of the file.
    """
    found = document.read(file)
    problems = [str(problem) for problem in found.problems]
    value = found.value if isinstance(found.value, dict) else {}
    if not problems and not value:
        problems.append(f"{file}: nothing; routes, security or both would be right")
    problems += _top(value)
    routes = _entries(value, "routes", ROUTE, ("path", "target"), problems)
    security = _entries(value, "security", SECURITY, ("endpoint",), problems)
    wanted = _merged(routes, security, problems)
    if problems:
        raise ValueError("\n".join(problems))
    return wanted


def _top(value: Mapping[str, Any]) -> Iterable[str]:
    if "callback" in value:
        yield "callback: the admin API does not set it; write it into the bundle's routes.yaml"
    if value.get("version", 1) != 1:
        yield f"version: {value['version']!r}; 1 would be right"
    for key in value:
        if key not in {"version", "routes", "security", "callback"}:
            yield f"{key}: no such key; there is version, routes and security"


def _entries(
    value: Mapping[str, Any],
    section: str,
    known: Iterable[str],
    needed: Iterable[str],
    problems: list[str],
) -> list[Entry]:
    entries = value.get(section) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{section}: a list of mappings would be right")
        return []
    normal = [_normal(entry) for entry in entries]
    for number, entry in enumerate(normal):
        where = f"{section}.{number}"
        problems += [f"{where}.{key}: no such key" for key in entry if key not in known]
        problems += [
            f"{where}.{key}: a text is needed"
            for key in needed
            if not isinstance(entry.get(key), str)
        ]
        problems += [
            f"{where}.{key}: texts are needed"
            for key in _TEXTS
            if not isinstance(entry.get(key, []), list)
        ]
        problems += _wrong_rate(where, entry)
    return normal


def _wrong_rate(where: str, entry: Entry) -> Iterable[str]:
    try:
        rate(entry.get("rateLimit", 1))
    except ValueError as error:
        yield f"{where}.rateLimit: {error} would be right"


def _normal(entry: Entry) -> Entry:
    """By one name for each key, lists where one text may stand, methods in capitals."""
    found = {_SAME.get(key, key): value for key, value in entry.items()}
    for key in _TEXTS:
        if isinstance(found.get(key), (str, list)):
            found[key] = [str(each) for each in several(found[key])]
    if "methods" in found and isinstance(found["methods"], list):
        found["methods"] = [method.upper() for method in found["methods"]]
    return found


def _merged(routes: list[Entry], security: list[Entry], problems: list[str]) -> list[Entry]:
    """Each route with what ``security`` says of its path; an endpoint of no route stays alone."""
    alone = []
    for entry in security:
        said: Entry = {key: entry[key] for key in ("auth", "rateLimit") if key in entry}
        mine = [route for route in routes if route.get("path") == entry.get("endpoint")]
        for route in mine:
            problems += [
                f"routes and security disagree on {key} of {route['path']}"
                for key in said
                if not same(key, route.get(key, said[key]), said[key])
            ]
            route.update(said)
        if not mine:
            alone.append({"path": entry.get("endpoint"), **said})
    return [{"methods": ["POST"], **route} for route in routes] + alone


def same(key: str, one: object, other: object) -> bool:
    """Whether two values of a key mean the same: ``100`` and ``100/min``, a text and a list."""
    if one is None or other is None:
        return one is other
    if key == "rateLimit":
        try:
            return rate(one) == rate(other)
        except ValueError:
            return False
    if key in _TEXTS:
        return set(several(one)) == set(several(other))
    return bool(one == other)
