"""What a route says of models has an effect: its function asks one, and asks what that holds for.

Only the functions that come with the gateway are known here; a bundle's own may do anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.portal.declared import PATHS

#: What is asked of no model.
SILENT: Final = frozenset(
    f"functions.{name}:handle"
    for name in (
        *("compact", "docs", "feedback", "guardrail", "healthz", "home", "judge_tick", "metrics"),
        *("admin.erasure", "admin.export", "openapi", "prune"),
        *("ping", "readyz", "v1.model", "v1.models", "v2.live", "v2.model_ready"),
        *("v2.ready", "v2.server", "weights"),
        *("admin.key", "admin.key_issue", "admin.key_revoke", "admin.key_rotate", "admin.keys"),
        *(
            "admin.audit",
            "admin.budgets",
            "admin.log_level",
            "admin.metrics",
            "admin.models",
            "admin.policies",
            "admin.policy",
        ),
        *("admin.reload", "admin.request", "admin.requests", "admin.route", "admin.routes"),
        *("admin.security", "admin.versions"),
        *(f"portal.{name}" for name in PATHS),
    )
)
#: Whose answers are never kept.
UNKEPT: Final = frozenset(
    f"functions.{name}:handle"
    for name in (
        *("v1.audio_speech", "v1.audio_transcriptions", "v1.audio_translations"),
        *("v1.images_edits", "v1.images_generations", "v1.images_variations"),
        *("v1.messages_count_tokens", "v2.infer"),
    )
)
#: Whose questions are not compared by their meaning.
LITERAL: Final = frozenset(
    f"functions.v1.{name}:handle" for name in ("embeddings", "ranking", "rerank")
)
#: How models are asked. A route that says `routing` may be named, and then they hold for the call.
_HOW: Final = ("retries", "fallback", "canary", "shadow")


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """Every route by itself."""
    for index, route in enumerate(manifest.routes):
        at: Location = ("routes", index)
        if route.function in SILENT:
            yield from _unasked(at, route)
        elif route.cache and route.function in UNKEPT:
            found = f"cache and {route.function}, whose answers are not kept"
            yield Finding((*at, "cache"), found, "no cache here")
        elif route.cache and route.cache.semantic and route.function in LITERAL:
            found = f"semantic and {route.function}, which compares no meanings"
            yield Finding((*at, "cache", "semantic"), found, "a cache without it here")


def _unasked(at: Location, route: Route) -> Iterator[Finding]:
    given = route.model_fields_set
    for name in ("cache", *(() if "routing" in given else _HOW)):
        if getattr(route, name) is not None:
            found = f"{name} and {route.function}, which asks no model"
            yield Finding((*at, name), found, "it on a route whose function asks one")
