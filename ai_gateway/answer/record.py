"""Stage 5: one decision is one row of the requests table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ai_gateway import __version__, strictjson
from ai_gateway.access.keys import MARK
from ai_gateway.answer.masks import Masks
from ai_gateway.answer.route import Candidate, Choice
from ai_gateway.answer.vault import Vault
from ai_gateway.cache.semantic import Hit
from ai_gateway.contract import Event
from ai_gateway.cost.charge import Charge
from ai_gateway.formats import UNTOLD, Usage
from ai_gateway.guardrails.inspection import Verdict
from ai_gateway.guardrails.scene import Scene
from ai_gateway.telemetry.tracing import CallSpan

if TYPE_CHECKING:
    from ai_gateway.limits.gate import Hold

#: Of a model that a caller named: what is no name of ours is no place for a text either.
MAX_NAME = 64


@dataclass(slots=True)
class Attempt:
    """One try at an upstream; no status where none came, no error where it answered.

    Where it was never asked (its circuit is open, its queue full) there is no endpoint either.
    """

    model: str
    endpoint: str | None = None
    status: int | None = None
    latency_ms: float = 0.0
    error: str | None = None
    #: Before it: in the model's queue, and between two tries.
    waited_ms: float = 0.0
    #: Of the clock's monotonic time; not stored, as is what traces it.
    started: float = field(default=0.0, repr=False)
    span: CallSpan | None = field(default=None, repr=False)

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """What the upstream is told of the trace that it is of."""
        return () if self.span is None else self.span.headers


@dataclass(slots=True)
class Decision:
    """What is known of one request so far; each stage adds its part."""

    event: Event
    surface: str | None = None
    model_requested: str | None = None
    input: str | None = None
    request: Mapping[str, Any] | None = None
    output: str | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    selection: str | None = None
    choice: Choice | None = None
    weights_id: str | None = None
    served: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    usage: Usage = UNTOLD
    charge: Charge | None = None
    first_byte_ms: float | None = None
    finish_reason: str | None = None
    digest: str | None = None
    status: int = 200
    error: str | None = None
    simulated: bool = False
    #: The request that this one repeats, where it is a shadow.
    shadow_of: str | None = None
    #: ``hit`` or ``miss`` where an answer was looked for, and what was found.
    cache: str = "off"
    hit: Hit | None = None
    #: For models beside the attempts.
    waited_ms: float = 0.0
    #: The answer is a stream that ends later, and is recorded then.
    streamed: bool = False
    #: The answer is a stream that policies read; who reads it writes the row.
    guarded: bool = False
    #: Characters that had left when a policy ended the stream; None where none did.
    leaked: int | None = None
    #: The model that a policy has answer instead.
    route_to: str | None = None
    #: What placeholders stand for, and what stands around an answer; neither is ever stored.
    vault: Vault | None = field(default=None, repr=False)
    scene: Scene | None = field(default=None, repr=False)
    #: What is reserved of limits and budgets.
    hold: Hold | None = field(default=None, repr=False)


def row(
    decision: Decision,
    *,
    now: float,
    manifest_hash: str,
    policies: Sequence[str],
    policies_hash: str,
    masks: Masks,
) -> dict[str, Any]:
    """The row of ``decision``; ``now`` is of the clock that ``event.started`` is of.

    A column that is left out is null when it is read, and costs nothing on its way there: those
    that most requests have none of are in it only where there is one.
    """
    event, route = decision.event, decision.event.route
    latency = (now - event.started) * 1000
    return {
        "schema_version": 1,
        "request_id": event.request_id,
        "received_at": int(event.received_at * 1e6),
        "route": route.name,
        "surface": decision.surface,
        "method": event.method,
        "path": _path(event, masks),
        "tenant": event.caller.tenant,
        "key_id": event.caller.id,
        "privacy": route.privacy,
        **_texts(decision, masks),
        "response_digest": decision.digest,
        "policies": policies,
        "verdicts": [_columns(verdict, _VERDICT) for verdict in decision.verdicts],
        "manifest_hash": manifest_hash,
        "policies_hash": policies_hash,
        "model_requested": _model(decision, masks),
        "selection": decision.selection,
        **_choice(decision),
        "served": decision.served,
        "attempts": [_columns(attempt, _ATTEMPT) for attempt in decision.attempts],
        **_usage(decision),
        "time_to_first_token_ms": decision.first_byte_ms,
        "latency_ms": latency,
        "overhead_ms": latency
        - decision.waited_ms
        - sum(attempt.waited_ms + attempt.latency_ms for attempt in decision.attempts),
        "cache": decision.cache,
        **(_hit(decision.hit) if decision.hit else {}),
        "finish_reason": decision.finish_reason,
        "status": decision.status,
        "simulated": decision.simulated,
        "gateway_version": __version__,
        **_seldom(decision),
    }


def _seldom(decision: Decision) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if theirs := decision.event.headers.get("x-request-id"):
        found["client_request_id"] = theirs[:128]
    if team := decision.event.caller.team:
        found["team"] = team
    if decision.error is not None:
        found["error"] = decision.error
    if decision.shadow_of is not None:
        found["shadow_of"] = decision.shadow_of
    if decision.leaked is not None:
        found["leaked"] = decision.leaked
    return found


_Keep = Callable[[str | None], str | None]


def _path(event: Event, masks: Masks) -> str | None:
    """A path with parameters may hold a text, or a key where its id belongs."""
    if event.path == event.route.path or event.route.privacy != "full" or MARK in event.path:
        return event.route.path
    return masks.hidden(event.path[:2048], "input") or event.route.path


def _model(decision: Decision, masks: Masks) -> str | None:
    """Whom the caller named; what led to no choice may be any text."""
    named = (decision.model_requested or "")[:MAX_NAME] or None
    if named is None or decision.choice is not None:
        return named
    if decision.event.route.privacy == "redacted":
        return masks.redacted(named)
    return masks.hidden(named, "input")


def _texts(decision: Decision, masks: Masks) -> dict[str, str | None]:
    """What was said, as far as the route's privacy lets a record hold it."""
    privacy = decision.event.route.privacy
    if privacy == "none":
        return {}
    keep = _redacted(masks) if privacy == "redacted" else _PRIVACY[privacy]
    return {
        "input": keep(decision.input),
        "request": _request(decision, masks, keep),
        "output": keep(decision.output and masks.hidden(decision.output, "output")),
    }


def _request(decision: Decision, masks: Masks, keep: _Keep) -> str | None:
    request = decision.request
    if request is None:
        return None
    if decision.event.route.privacy == "redacted":
        return strictjson.dumps(masks.request(request)).decode()
    return keep(strictjson.dumps(request).decode())


def _redacted(masks: Masks) -> _Keep:
    return lambda text: None if text is None else masks.redacted(text)


def _full(text: str | None) -> str | None:
    return text


def _hashed(text: str | None) -> str | None:
    return text if text is None else digest(text.encode("utf-8", "surrogatepass"))


_PRIVACY = {"full": _full, "hashed": _hashed}


def digest(data: bytes) -> str:
    """The SHA-256 of ``data``, as it stands in records."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


_VERDICT = Verdict.__slots__
_ATTEMPT = tuple(name for name in Attempt.__slots__ if name not in {"started", "span"})


def _columns(part: Verdict | Attempt, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(part, name)) is not None}


def _choice(decision: Decision) -> dict[str, Any]:
    choice, routing = decision.choice, decision.event.route.routing
    if choice is None:
        return {}
    found = {
        "routing": routing.policy,
        "explore": routing.explore,
        "candidates": [_candidate(each) for each in choice.candidates],
        "chosen": choice.chosen,
        "propensity": choice.propensity,
        "seed": choice.seed,
    }
    if decision.weights_id is not None:
        found["weights_id"] = decision.weights_id
    return found


def _candidate(candidate: Candidate) -> dict[str, Any]:
    score = candidate.score
    found: dict[str, Any] = {
        "model": candidate.model,
        "probability": candidate.probability,
        "score": score.score,
        "score_low": score.low,
        "score_high": score.high,
    }
    if candidate.excluded is not None:
        found["excluded"] = candidate.excluded
    return found


def _usage(decision: Decision) -> dict[str, Any]:
    usage = decision.usage
    if usage.raw is None:
        return {}
    found: dict[str, Any] = {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "usage": strictjson.dumps(usage.raw).decode(),
        **(_cost(decision.charge) if decision.charge else {}),
    }
    if usage.cached is not None:
        found["cached_tokens"] = usage.cached
    if usage.reasoning is not None:
        found["reasoning_tokens"] = usage.reasoning
    return found


def _hit(hit: Hit) -> dict[str, Any]:
    """Nothing was used; what it would have been is told apart."""
    return {
        "cost": 0.0,
        "saved": hit.cached.cost,
        "similarity": hit.similarity,
        "answered_before": hit.cached.request_id,
    }


def _cost(charge: Charge) -> dict[str, Any]:
    price = strictjson.dumps(charge.price).decode()
    return {"price": price, "cost": float(charge.amount)}
