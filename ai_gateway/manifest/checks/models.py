"""Models have usable endpoints, and every name of a model, policy or prompt is known."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest
from ai_gateway.manifest.checks.hosts import split
from ai_gateway.manifest.model import Manifest


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Each model by itself, then the names that point at one."""
    yield from _models(manifest)
    yield from _names(manifest, around)


def _models(manifest: Manifest) -> Iterator[Finding]:
    for name, model in manifest.models.items():
        at: Location = ("models", name)
        token = model.credentials.token.get_secret_value() if model.credentials.token else ""
        if token.startswith(("http://", "https://")) and not model.url.startswith("http"):
            yield Finding(
                (*at, "url"),
                "a token where the URL belongs, and a URL where the token belongs",
                "the endpoint's URL in url and the token in credentials.token: they look swapped",
            )
            continue
        url = split(model.url)
        if url is None:
            yield Finding(
                (*at, "url"), None, "https://HOST/.../v1, without a user or password"
            )
        elif not url.path.rstrip("/").removesuffix("/chat/completions").endswith("/v1"):
            yield Finding((*at, "url"), None, "a URL that ends in /v1 or /openai/v1")
        if model.credentials.token and model.credentials.token_file:
            yield Finding((*at, "credentials"), "token and token_file", "one of them")


def _names(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    models = manifest.models
    for index, route in enumerate(manifest.routes):
        for name in route.routing.models:
            if name not in models:
                at: Location = ("routes", index, "routing", "models")
                yield Finding(at, name, nearest(name, models))
        for name in route.guardrails or ():
            if name not in around.policies:
                yield Finding(("routes", index, "guardrails"), name, nearest(name, around.policies))
    if manifest.judge and manifest.judge.model not in models:
        name = manifest.judge.model
        yield Finding(("judge", "model"), name, nearest(name, models))
    if manifest.judge and manifest.judge.prompt not in around.prompts:
        name = manifest.judge.prompt
        yield Finding(("judge", "prompt"), name, nearest(name, around.prompts))
