"""Limits and budgets count something, and know the most that a call may come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from ai_gateway.answer.places import places
from ai_gateway.clock import SystemClock
from ai_gateway.cost.prices import Library
from ai_gateway.limits.declared import Budget, Limit
from ai_gateway.limits.plan import HEALTH
from ai_gateway.limits.worst import Prices
from ai_gateway.manifest.checks.asking import SILENT
from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest
from ai_gateway.manifest.model import Manifest, Route

#: The route of the calls that a semantic cache makes, which only budgets count.
SEMANTIC: Final = "semantic-cache"
#: Functions whose answers have no length that is paid.
_WORDLESS: Final = frozenset(
    f"functions.v1.{name}:handle"
    for name in ("embeddings", "messages_count_tokens", "ranking", "rerank")
)

_NONE: Final = frozenset[str]()
_Each = tuple[Location, Limit | Budget]


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Every limit and budget by itself, and their names."""
    found: list[_Each] = [
        *((("limits", index), limit) for index, limit in enumerate(manifest.limits)),
        *((("budgets", index), budget) for index, budget in enumerate(manifest.budgets)),
    ]
    yield from _named(found)
    prices = _prices(manifest)
    for at, each in found:
        unknown = list(_unknown(at, each, manifest, around))
        yield from unknown
        if isinstance(each, Limit) and not (each.requests or each.tokens):
            yield Finding(at, "neither requests nor tokens", "what is limited: one, or both")
        elif not unknown:
            yield from _counts(at, each, manifest, around, prices)
    own = any(route.rate_limit for route in manifest.secured().routes)
    if "limits_on_error" in manifest.model_fields_set and not (found or own):
        wanted = "limits, budgets or a rateLimit, which it is about"
        yield Finding(("limits_on_error",), "no limit and no budget", wanted)


def _named(found: list[_Each]) -> Iterator[Finding]:
    names = Counter(each.called for _, each in found)
    for at, each in found:
        if names[each.called] > 1:
            yield Finding((*at, "name"), f"{each.called} twice", "a name of its own")


def _unknown(
    at: Location, each: Limit | Budget, manifest: Manifest, around: Surroundings
) -> Iterator[Finding]:
    routes = {route.name for route in manifest.routes}
    if _embedders(manifest) and isinstance(each, Budget):
        routes.add(SEMANTIC)
    for key, names, known in (
        ("routes", each.match.routes, routes),
        ("models", each.match.models, set(around.models)),
    ):
        for name in names:
            if name not in known:
                yield Finding((*at, "match", key), name, nearest(name, known))


def _counts(
    at: Location,
    each: Limit | Budget,
    manifest: Manifest,
    around: Surroundings,
    prices: Prices,
) -> Iterator[Finding]:
    """Something meets it; of a model that meets it, it is known what a call may come to."""
    about_models = isinstance(each, Budget) or each.tokens is not None
    if not (about_models or each.match.models or "model" in each.per):
        return
    models, generating = (
        sorted(_models(each, manifest, around, wordless)) for wordless in (_NONE, _WORDLESS)
    )
    if not models:
        yield Finding(at, "no model that its routes may ask", "routes and models that meet")
    for name in models if about_models else ():
        endless = name in generating and manifest.models[name].max_output_tokens is None
        if endless and each.assume is None:
            wanted = "max_output_tokens on the model, or assume: the most that an answer has"
            yield Finding(at, f"{name}, whose answers may be of any length", wanted)
        if isinstance(each, Budget) and name not in prices:
            wanted = "price on the model, or match without it: nothing else tells what it costs"
            yield Finding(at, f"{name}, which has no price", wanted)


def _models(
    each: Limit | Budget, manifest: Manifest, around: Surroundings, but: frozenset[str]
) -> set[str]:
    """The models that may answer calls that ``each`` counts, ``but`` those of some functions."""
    names, budget = each.match.routes, isinstance(each, Budget)
    found: set[str] = set()
    for route in manifest.routes:
        if _asks(route) and route.function not in but and (not names or route.name in names):
            found |= {*manifest.candidates(route)}
            found |= {*(route.fallback.models if route.fallback else ())}
            found |= {route.shadow.model} if route.shadow and budget else set()
    if found and around.guardrails is not None:
        found |= {model for *_, model, asks in around.guardrails.models() if not asks}
    if budget and not but and (not names or SEMANTIC in names):
        found |= _embedders(manifest)
    if each.match.models:
        found &= {*each.match.models}
    return found & manifest.models.keys()


def _asks(route: Route) -> bool:
    """Whether its function asks a model, as far as that can be known."""
    return route.target is None and route.function not in SILENT | HEALTH


def _embedders(manifest: Manifest) -> set[str]:
    caches = (route.cache for route in manifest.routes)
    return {cache.semantic.model for cache in caches if cache and cache.semantic}


def _prices(manifest: Manifest) -> Prices:
    """Looked up only where a budget asks, since the public ones take a moment to load."""
    there = places(manifest.models) if manifest.budgets else {}
    return Prices.of(there, Library(SystemClock()))
