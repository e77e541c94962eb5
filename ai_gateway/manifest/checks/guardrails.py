"""What policies need of the bundle is there: models that they ask, and something to redact by."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.manifest.checks.asking import SILENT
from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest
from ai_gateway.manifest.model import Manifest, Route


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Every policy with every route that it holds for."""
    guardrails = around.guardrails
    if guardrails is None:  # it has problems of its own, which are told
        return
    yield from _models(manifest, around, guardrails)
    for index, route in enumerate(manifest.routes):
        at: Location = ("routes", index)
        names = _known(route, guardrails)
        if route.privacy == "redacted" and not guardrails.redacting(names):
            found = "redacted, and no policy of this route redacts"
            yield Finding((*at, "privacy"), found, "a policy with a check whose action is redact")
        if route.target and (policy := _rerouting(guardrails, names)):
            found = f"a target, and policy {policy}, which has a model answer"
            yield Finding((*at, "guardrails"), found, "policies here without action: route")


def _models(manifest: Manifest, around: Surroundings, guardrails: Guardrails) -> Iterator[Finding]:
    choosing = [route.name for route in manifest.routes if _chooses(route)]
    judge = manifest.judge.model if manifest.judge else None
    for policy, check_name, model, asked in guardrails.models():
        who = f"{model}, which check {check_name} of policy {policy} needs"
        if model not in around.models:
            yield Finding(("models",), who, nearest(model, around.models))
        elif asked and choosing and model != judge and _candidate(manifest, model):
            found = f"{who}, and which route {choosing[0]} may choose for an answer"
            wanted = "candidate: false, or routing.models on every route"
            yield Finding(("models", model), found, wanted)


def _chooses(route: Route) -> bool:
    """Whether any model may be chosen for a call of ``route``."""
    return bool(route.function) and route.function not in SILENT and not route.routing.models


def _candidate(manifest: Manifest, model: str) -> bool:
    return model in manifest.models and manifest.models[model].candidate


def _known(route: Route, guardrails: Guardrails) -> tuple[str, ...] | None:
    if route.guardrails is None:
        return None
    return tuple(name for name in route.guardrails if name in guardrails.names)


def _rerouting(guardrails: Guardrails, names: tuple[str, ...] | None) -> str | None:
    there = guardrails.names if names is None else names
    return next(
        (policy for policy, _, _, asked in guardrails.models() if not asked and policy in there),
        None,
    )
