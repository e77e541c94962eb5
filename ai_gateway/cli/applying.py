"""What makes a gateway's routes those of a file: worked out first, then done step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ai_gateway.cli.desired import ROUTE, Entry, same
from ai_gateway.client import AI_Gateway, Route

_SECURED: Final = {"auth", "rateLimit"}


@dataclass(frozen=True, slots=True)
class Step:
    """One change, or none: ``keys`` are those that differ, ``body`` what is sent."""

    action: Literal["add", "replace", "secure", "keep"]
    path: str
    keys: tuple[str, ...] = ()
    body: Entry = field(default_factory=dict)
    #: Of the route that is replaced.
    name: str | None = None

    def row(self) -> dict[str, Any]:
        """As it is told."""
        return {"path": self.path, "action": self.action, "keys": list(self.keys)}


def plan(wanted: Sequence[Entry], routes: Sequence[Route]) -> list[Step]:
    """A step for each entry; routes that the file does not name stay. Raises ValueError."""
    steps, problems = [], []
    for entry in wanted:
        try:
            steps.append(_step(entry, [route for route in routes if _meant(entry, route)]))
        except ValueError as error:  # noqa: PERF203 - all problems are told at once
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return steps


def _meant(entry: Entry, route: Route) -> bool:
    return bool(route.path == entry["path"] and entry.get("name", route.name) == route.name)


def _step(entry: Entry, found: list[Route]) -> Step:
    path = entry["path"]
    if not found:
        if "target" not in entry:
            raise ValueError(f"{path}: no route has this path")
        return Step("add", path, body=entry)
    differing = {key for route in found for key in entry if _differs(key, entry, route)}
    keys = tuple(sorted(differing))
    if not keys:
        return Step("keep", path)
    if differing <= _SECURED:
        return Step("secure", path, keys, {key: entry[key] for key in keys})
    return Step("replace", path, keys, {**_whole(path, found), **entry}, found[0].name)


def _differs(key: str, entry: Entry, route: Route) -> bool:
    return not same(key, route.entry.get(key), entry[key])


def _whole(path: str, found: list[Route]) -> Entry:
    """All that the route has; raises ValueError where it cannot be written again."""
    if len(found) > 1:
        raise ValueError(f"{path}: several routes have this path; say the name of one")
    if found[0].target is None:
        raise ValueError(f"{path}: a function serves it; change the bundle's routes.yaml")
    only = ", ".join(key for key in found[0].entry if key not in ROUTE)
    if only:
        raise ValueError(f"{path}: it has {only}; change the bundle's routes.yaml")
    return dict(found[0].entry)


def run(gateway: AI_Gateway, steps: Sequence[Step], version: str | None) -> None:
    """Do each step on the version that the one before left, so that nobody's change is undone.

    Raises GatewayError at the first that is refused; those before it are done.
    """
    for step in steps:
        version = _done(gateway, step, version)


def _done(gateway: AI_Gateway, step: Step, version: str | None) -> str | None:
    if step.action == "keep":
        return version
    if step.action == "secure":
        keywords = {"auth": "auth", "rateLimit": "rate_limit"}
        said = {keywords[key]: value for key, value in step.body.items()}
        return gateway.secure(step.path, version=version, **said).version
    if step.name is None:
        return gateway.create_route(**step.body, version=version).version
    return gateway.replace_route(**{**step.body, "name": step.name}, version=version).version
