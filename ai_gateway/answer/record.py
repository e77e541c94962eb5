"""Stage 5: one decision is one row of the requests table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ai_gateway import __version__, strictjson
from ai_gateway.answer.route import Choice
from ai_gateway.contract import Event
from ai_gateway.guardrails.engine import Verdict
from ai_gateway.manifest.model import Price

#: Of a model that a caller named: what is no name of ours is no place for a text either.
MAX_NAME = 64
#: The columns are 64 bits wide; an upstream may claim anything.
_MAX_COUNT = 2**63


@dataclass(slots=True)
class Attempt:
    """One try at an upstream; no status where none came, no error where it answered."""

    model: str
    status: int | None = None
    latency_ms: float = 0.0
    error: str | None = None


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
    usage: Mapping[str, Any] | None = None
    price: Price | None = None
    first_byte_ms: float | None = None
    finish_reason: str | None = None
    digest: str | None = None
    status: int = 200
    error: str | None = None
    simulated: bool = False


def row(
    decision: Decision,
    *,
    now: float,
    manifest_hash: str,
    policies: Sequence[str],
    policies_hash: str,
) -> dict[str, Any]:
    """The row of ``decision``; ``now`` is of the clock that ``event.started`` is of."""
    event, route = decision.event, decision.event.route
    latency = (now - event.started) * 1000
    keep = _PRIVACY[route.privacy]
    request = strictjson.dumps(decision.request).decode() if decision.request is not None else None
    return {
        "schema_version": 1,
        "request_id": event.request_id,
        "client_request_id": event.headers.get("x-request-id", "")[:128] or None,
        "received_at": int(event.received_at * 1e6),
        "route": route.name,
        "surface": decision.surface,
        "method": event.method,
        "path": event.path[:2048],
        "tenant": event.caller.tenant,
        "key_id": event.caller.id,
        "privacy": route.privacy,
        "input": keep(decision.input),
        "request": keep(request),
        "output": keep(decision.output),
        "response_digest": decision.digest,
        "policies": policies,
        "verdicts": [_columns(verdict) for verdict in decision.verdicts],
        "manifest_hash": manifest_hash,
        "policies_hash": policies_hash,
        "model_requested": (decision.model_requested or "")[:MAX_NAME] or None,
        "selection": decision.selection,
        **_choice(decision),
        "served": decision.served,
        "attempts": [_columns(attempt) for attempt in decision.attempts],
        **_usage(decision),
        "time_to_first_token_ms": decision.first_byte_ms,
        "latency_ms": latency,
        "overhead_ms": latency - sum(attempt.latency_ms for attempt in decision.attempts),
        "cache": "off",
        "finish_reason": decision.finish_reason,
        "status": decision.status,
        "error": decision.error,
        "simulated": decision.simulated,
        "gateway_version": __version__,
    }


def _full(text: str | None) -> str | None:
    return text


def _hashed(text: str | None) -> str | None:
    return text if text is None else digest(text.encode("utf-8", "surrogatepass"))


def _none(_text: str | None) -> None:
    return None


_PRIVACY = {"full": _full, "hashed": _hashed, "none": _none}


def digest(data: bytes) -> str:
    """The SHA-256 of ``data``, as it stands in records."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _columns(part: Verdict | Attempt) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__slots__}


def _choice(decision: Decision) -> dict[str, Any]:
    choice, routing = decision.choice, decision.event.route.routing
    if choice is None:
        return {}
    return {
        "routing": routing.policy,
        "explore": routing.explore,
        "weights_id": decision.weights_id,
        "candidates": [
            {
                "model": candidate.model,
                "probability": candidate.probability,
                "score": candidate.score.score,
                "score_low": candidate.score.low,
                "score_high": candidate.score.high,
                "cost": None,
                "excluded": candidate.excluded,
            }
            for candidate in choice.candidates
        ],
        "chosen": choice.chosen,
        "propensity": choice.propensity,
        "seed": choice.seed,
    }


def _usage(decision: Decision) -> dict[str, Any]:
    usage = decision.usage
    if not isinstance(usage, Mapping):
        return {}
    tokens = {
        "input_tokens": _count(usage, "prompt_tokens"),
        "output_tokens": _count(usage, "completion_tokens"),
        "cached_tokens": _count(usage.get("prompt_tokens_details"), "cached_tokens"),
        "reasoning_tokens": _count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    }
    return {
        **tokens,
        "usage": strictjson.dumps(usage).decode(),
        "cost": cost(decision.price, tokens) if decision.price else None,
    }


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < _MAX_COUNT else None


def cost(price: Price, tokens: Mapping[str, int | None]) -> float:
    """Money for ``tokens``; cached input is part of the input tokens, at its own price."""
    cached = tokens["cached_tokens"] or 0
    fresh = max(0, (tokens["input_tokens"] or 0) - cached)
    cached_price = price.input if price.cached is None else price.cached
    output = (tokens["output_tokens"] or 0) * price.output
    return (fresh * price.input + cached * cached_price + output) / 1e6
