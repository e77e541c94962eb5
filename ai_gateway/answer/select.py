"""Stage 2: the candidates of a call, and the one that it goes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_not
from random import Random
from typing import Final, NamedTuple

from ai_gateway.access.allowed import may_ask
from ai_gateway.answer.call import AUTO, Call
from ai_gateway.answer.record import MAX_NAME, Decision
from ai_gateway.answer.route import SEEDS, Candidate, Choice, Odds, draw, odds, pinned
from ai_gateway.answer.weights import Publication, Score, Weights
from ai_gateway.errors import BadRequest, Forbidden, UnknownModel
from ai_gateway.manifest.model import Manifest, Route, Routing
from ai_gateway.resilience import Canary

#: Why a model is no candidate of a caller's.
NOT_THE_CALLERS: Final = "the caller may not ask it"
#: Of routes, and sets of their models, whose odds are remembered.
_MOST: Final = 1000


class _Known(NamedTuple):
    """Odds, and the very scores and rules that they follow from."""

    odds: Odds
    scores: Publication
    routing: Routing
    canary: Canary | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Picks models by one bundle's rules and the scores of the moment."""

    manifest: Manifest
    weights: Weights
    random: Random
    #: Of models that may be left alone: why this one is now, as an error's code, or None.
    unavailable: Mapping[str, Callable[[], str | None]]
    #: By route and models.
    _odds: dict[object, _Known] = field(default_factory=dict, repr=False)

    def choice(self, call: Call, decision: Decision) -> Choice:
        """The model that ``call`` goes to.

        Raises UnknownModel where there is none such, Forbidden where none is the caller's.
        """
        route = call.event.route
        models = self.manifest.candidates(route)
        published = self.weights.current
        decision.weights_id = published.id
        if decision.route_to is not None:
            return self._rerouted(call, decision.route_to, published.score(decision.route_to))
        if call.model not in AUTO and not call.routed:
            return pinned(_known(call, models), published.score(call.model))
        if not models:
            raise UnknownModel(f"No model is defined for route {route.name}.", param="model")
        excluded = self._excluded(call, models)
        eligible = tuple(model for model in models if model not in excluded)
        given = self._given(call, eligible, published)
        choice = draw(given, self.random.randrange(SEEDS))
        if not excluded:
            return choice
        score = published.score
        others = (Candidate(name, 0.0, score(name), why) for name, why in excluded.items())
        return choice._replace(candidates=(*choice.candidates, *others))

    def _given(self, call: Call, models: tuple[str, ...], published: Publication) -> Odds:
        """The odds of ``models``, worked out once for each publication of scores."""
        route = call.event.route
        key = (route.name, call.model if call.routed else None, models)
        known = self._odds.get(key)
        rules = (published, route.routing, route.canary)
        if known is None or any(map(is_not, known[1:], rules)):
            scores = {model: published.score(model) for model in models}
            if len(self._odds) >= _MOST:
                self._odds.clear()
            found = odds(models, scores, route.routing, route.canary)
            known = self._odds[key] = _Known(found, *rules)
        return known.odds

    def _rerouted(self, call: Call, model: str, score: Score) -> Choice:
        """The model that a policy says, whoever the caller named; it may not be the caller's."""
        if not may_ask(model, call.event.caller):
            raise Forbidden("A policy has a model answer this that this caller may not ask.")
        if error := call.refusal(self.manifest.models[model].dialect):
            raise error
        return pinned(model, score)._replace(selection="guardrail")

    def _excluded(self, call: Call, models: Sequence[str]) -> dict[str, str]:
        """Those that the caller may not ask, and of the others those that ``_unable`` says; why.

        Raises Forbidden where he may ask none.
        """
        caller = call.event.caller
        if caller.models is None:
            return self._unable(call, models)
        others = [model for model in models if not may_ask(model, caller)]
        if len(others) == len(models):
            raise Forbidden(f"Route {call.event.route.name} has no model that this caller may ask.")
        unable = self._unable(call, [model for model in models if model not in others])
        return dict.fromkeys(others, NOT_THE_CALLERS) | unable

    def _unable(self, call: Call, models: Sequence[str]) -> dict[str, str]:
        """Those that cannot be told what the call says, or are not to be asked now, and why.

        Raises BadRequest where none can be told. Where none is to be asked now none is excluded
        for that: fallbacks and queues say what becomes of the call.
        """
        refused: dict[str, BadRequest] = {}
        away: dict[str, str] = {}
        for model in models:
            error = call.refusal(self.manifest.models[model].dialect)
            if error is not None:
                refused[model] = error
            elif (asked := self.unavailable.get(model)) and (why := asked()):
                away[model] = why
        if len(refused) == len(models):
            raise refused[models[0]]
        if len(refused) + len(away) == len(models):
            away = {}
        route = call.event.route
        return {model: _reason(error, route) for model, error in refused.items()} | away


def _reason(error: BadRequest, route: Route) -> str:
    """For the record; the message may hold what the caller wrote."""
    return error.message[:200] if route.privacy == "full" else error.code


def _known(call: Call, models: Sequence[str]) -> str:
    name, event = call.model or "", call.event
    if name not in models:
        there_is = ", ".join(model for model in models if may_ask(model, event.caller)) or "none"
        raise UnknownModel(
            f"There is no model {name[:MAX_NAME]!r} on route {event.route.name};"
            f" there is {there_is}.",
            param="model",
        )
    return name
