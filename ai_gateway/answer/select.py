"""Stage 2: the candidates of a call, and the one that it goes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from ai_gateway.answer.call import Call
from ai_gateway.answer.record import MAX_NAME, Decision
from ai_gateway.answer.route import SEEDS, Candidate, Choice, choose, pinned
from ai_gateway.answer.weights import Weights
from ai_gateway.errors import BadRequest, UnknownModel
from ai_gateway.manifest.model import Manifest, Route

_AUTO = (None, "", "auto")


@dataclass(frozen=True, slots=True)
class Selection:
    """Picks models by one bundle's rules and the scores of the moment."""

    manifest: Manifest
    weights: Weights
    random: Random

    def choice(self, call: Call, decision: Decision) -> Choice:
        """The model that ``call`` goes to; raises UnknownModel where there is none such."""
        route = call.event.route
        models = self.manifest.candidates(route)
        published = self.weights.current
        decision.weights_id = published.id
        if call.model not in _AUTO and not call.routed:
            return pinned(_known(call.model, models, route), published.score(call.model))
        if not models:
            raise UnknownModel(f"No model is defined for route {route.name}.", param="model")
        # Those that cannot be told what the call says, and why.
        found = ((model, call.refusal(self.manifest.models[model].dialect)) for model in models)
        refused = {model: error for model, error in found if error}
        taking = [model for model in models if model not in refused]
        if not taking:
            raise refused[models[0]]
        scores = {model: published.score(model) for model in taking}
        choice = choose(taking, scores, route.routing, self.random.randrange(SEEDS), route.canary)
        if not refused:
            return choice
        excluded = (
            Candidate(model, 0.0, published.score(model), _reason(error, route))
            for model, error in refused.items()
        )
        return replace(choice, candidates=(*choice.candidates, *excluded))


def _reason(error: BadRequest, route: Route) -> str:
    """For the record; the message may hold what the caller wrote."""
    return error.message[:200] if route.privacy == "full" else error.code


def _known(name: str | None, models: tuple[str, ...], route: Route) -> str:
    if name not in models:
        named, there_is = (name or "")[:MAX_NAME], ", ".join(models)
        raise UnknownModel(
            f"There is no model {named!r} on route {route.name}; there is {there_is}.",
            param="model",
        )
    return name
