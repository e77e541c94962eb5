"""Policy files as a closed, versioned model. ``policies/policy.schema.json`` is made from it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field

from ai_gateway.guardrails.check import Check
from ai_gateway.guardrails.checks import MODELS
from ai_gateway.manifest import document
from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.document import Document
from ai_gateway.manifest.problem import Problem
from ai_gateway.manifest.units import Name

if TYPE_CHECKING:
    AnyCheck = Check
else:  # the members are only known once checks/ has been looked through
    AnyCheck = Annotated[Union[MODELS], Field(discriminator="type")]  # noqa: UP007 - made at run time

SUFFIXES = {".yaml", ".yml"}
#: What may stand beside policies.
COMPANIONS = {"policy.schema.json", "README.md"}


class Streaming(Closed):
    """How a streamed answer is checked while it flows."""

    buffer: Literal["windows", "full"] = Field(
        "windows", description="`full` holds all of an answer back until it has passed."
    )
    window: int = Field(
        50, ge=1, le=100_000, description="New characters that are looked at together."
    )
    overlap: int = Field(
        400, ge=0, le=100_000, description="Characters before them that are looked at again."
    )

    def stricter(self, other: Streaming) -> Streaming:
        """What is as strict as both."""
        return Streaming(
            buffer="full" if "full" in (self.buffer, other.buffer) else "windows",
            window=min(self.window, other.window),
            overlap=max(self.overlap, other.overlap),
        )


class Policy(Closed):
    """One concern: a list of checks that routes name together."""

    version: Literal[1]
    name: Name
    description: str = Field("", max_length=2_000)
    stream: Streaming = Streaming()
    checks: Annotated[tuple[AnyCheck, ...], Field(min_length=1, max_length=1_000)]


def read(folder: Path) -> tuple[list[Policy], list[Problem]]:
    """The policies of a folder by name, and all that is wrong with its files.

    A folder that is missing or empty holds no policies; a file in it that is none is a problem, so
    that a policy under a wrong name is never silently off. Hidden files are left alone.
    """
    policies: dict[str, Policy] = {}
    problems: list[Problem] = []
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        if path.name.startswith(".") or path.name in COMPANIONS:
            continue
        found, wrong = _read_one(path, policies)
        problems += wrong
        if found is not None:
            policies[found.name] = found
    return [policies[name] for name in sorted(policies)], problems


def _read_one(path: Path, others: Iterable[str]) -> tuple[Policy | None, list[Problem]]:
    file = f"{path.parent.name}/{path.name}"
    if path.suffix not in SUFFIXES or path.is_dir():
        return None, [Problem(file, None, "", "no policy", "files named NAME.yaml, and no folders")]
    source = document.read(path, file)
    policy, problems = document.validate(source, Policy)
    if policy is None:
        return None, problems
    if policy.name in others:
        wanted = "a name that no other policy has"
        problems.append(source.problem(("name",), repr(policy.name), wanted))
        return None, problems
    if unprepared := list(_unprepared(source, policy, path.parent.parent)):
        return None, [*problems, *unprepared]
    return policy, [*problems, *_twice(source, policy)]


def _unprepared(source: Document, policy: Policy, bundle: Path) -> Iterator[Problem]:
    """What checks need of the bundle's other files, and do not find there."""
    for at, check in enumerate(policy.checks):
        for key, wanted in check.prepare(bundle):
            yield source.problem(("checks", at, key), repr(getattr(check, key)), wanted)


def _twice(source: Document, policy: Policy) -> Iterator[Problem]:
    """Checks that have an earlier one's name."""
    seen = Counter[str]()
    for at, check in enumerate(policy.checks):
        seen[check.name] += 1
        if seen[check.name] > 1:
            wanted = "a name that no other check of this policy has"
            yield source.problem(("checks", at, "name"), repr(check.name), wanted)


def digest(policies: Iterable[Policy]) -> str:
    """``sha256:`` and the hash of what the policies say: comments and layout do not change it."""
    content: list[Any] = [policy.model_dump(mode="json") for policy in policies]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
