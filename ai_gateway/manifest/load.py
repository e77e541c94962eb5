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
from ai_gateway.manifest.checks import Surroundings, check
from ai_gateway.manifest.functions import PROXY, resolve
from ai_gateway.manifest.located import Document
from ai_gateway.manifest.model import Manifest
from ai_gateway.manifest.partial import salvage
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
    #: Of its files just before they were read: a later change is seen, however soon it comes.
    fingerprint: str


@dataclass(slots=True)
class BundleState:
    """What was wrong with the bundle on disk when it was last looked at; () when nothing was."""

    problems: tuple[Problem, ...] = ()


def load(
    settings: Settings, *, workers: int = 1, loopback: bool = True, serving: bool = True
) -> tuple[Bundle | None, list[Problem]]:
    """The bundle in ``settings.bundle``, or None and every problem that it has.

    ``serving`` is False for a job, which nobody calls: keys and shared state are not its concern.
    """
    seen = fingerprint(settings.bundle)
    policies, of_policies = engine.load(settings.bundle / "policies")
    templates, of_prompts = prompts.load(settings.bundle / "judge_prompts")
    source = document.read(settings.bundle / MANIFEST, variables=settings.variables)
    manifest, of_manifest = document.validate(source, Manifest)
    around = Surroundings(
        settings,
        policies=None if of_policies else policies.names,
        guardrails=None if of_policies else policies,
        prompts=None if of_prompts else tuple(templates),
        models=tuple(_section(source, "models")),
        sections=tuple(source.value) if isinstance(source.value, dict) else (),
        portal=tuple(_section(source, "portal")),
        workers=workers,
        loopback=loopback,
        serving=serving,
    )
    found = [*of_policies, *of_prompts, *of_manifest]
    if source.readable:
        found += _checked(source, around, known={problem.key for problem in of_manifest})
    if manifest is None or found:
        return None, sorted(found, key=lambda problem: (problem.file, problem.line or 0))
    manifest = manifest.secured()
    handlers = {route.name: resolve(route.function or PROXY) for route in manifest.routes}
    return Bundle(manifest, source.digest, policies, templates, handlers, seen), []


def _section(source: Document, name: str) -> Iterable[str]:
    section = source.value.get(name) if isinstance(source.value, dict) else None
    return section if isinstance(section, dict) else ()


def _checked(source: Document, around: Surroundings, known: set[str]) -> Iterator[Problem]:
    """What is wrong between the parts that are right; nothing twice, no mere consequence."""
    part = salvage(source.value)
    for finding in check(part.manifest, around):
        at = part.original(finding.at)
        found = source.found(at) if finding.found is None else finding.found
        problem = source.problem(at, found, finding.wanted)
        if not any(problem.key == key or problem.key.startswith(f"{key}.") for key in known):
            yield problem


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
