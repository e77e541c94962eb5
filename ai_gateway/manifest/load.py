"""From a folder to a checked bundle, or to everything that is wrong with it, all at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ai_gateway.contract import Handler
from ai_gateway.guardrails import engine
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.judge import prompts
from ai_gateway.judge.prompts import Prompt
from ai_gateway.manifest import document
from ai_gateway.manifest.checks import Finding, Surroundings, check
from ai_gateway.manifest.functions import resolve
from ai_gateway.manifest.located import Document
from ai_gateway.manifest.model import Manifest
from ai_gateway.manifest.problem import Problem
from ai_gateway.settings import Settings

MANIFEST = "routes.yaml"
#: What a bundle consists of; a change of any of it is a change of the bundle.
FOLDERS = ("policies", "judge_prompts")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that checked: its manifest with all names resolved."""

    manifest: Manifest
    digest: str
    policies: Guardrails
    prompts: Mapping[str, Prompt]
    handlers: Mapping[str, Handler]


@dataclass(slots=True)
class BundleState:
    """What was wrong with the bundle on disk when it was last looked at; () when nothing was."""

    problems: tuple[Problem, ...] = ()


def load(
    settings: Settings, *, workers: int = 1, loopback: bool = True
) -> tuple[Bundle | None, list[Problem]]:
    """The bundle in ``settings.bundle``, or None and every problem that it has."""
    policies, problems = engine.load(settings.bundle / "policies")
    templates, found = prompts.load(settings.bundle / "judge_prompts")
    problems += found
    source = document.read(settings.bundle / MANIFEST, variables=settings.variables)
    manifest, found = document.validate(source, Manifest)
    problems += found
    if manifest is not None:
        around = Surroundings(settings, policies.names, tuple(templates), workers, loopback)
        problems += _found(source, check(manifest, around))
    if manifest is None or problems:
        return None, problems
    manifest = manifest.secured()
    handlers = {route.name: resolve(route.function or PROXY) for route in manifest.routes}
    return Bundle(manifest, _digest(settings.bundle / MANIFEST), policies, templates, handlers), []


def _found(source: Document, findings: Iterable[Finding]) -> Iterator[Problem]:
    """Problems with their lines; of a value that is none at all, nothing more is said."""
    known = {problem.key for problem in source.problems}
    for finding in findings:
        found = source.found(finding.at) if finding.found is None else finding.found
        problem = source.problem(finding.at, found, finding.wanted)
        if problem.key not in known:
            yield problem


#: What answers a route that has a target and no function.
PROXY = "functions.proxy:handle"


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def fingerprint(folder: Path) -> str:
    """Changes when any file of the bundle does, in name or content."""
    digest = hashlib.sha256()
    files = [folder / MANIFEST]
    for name in FOLDERS:
        files += sorted(path for path in (folder / name).glob("*") if path.is_file())
    for path in files:
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()
