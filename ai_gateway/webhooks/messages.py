"""What is told: events without content and without secrets, as JSON of their own form.

``{"id", "type", "created_at", "route", "tenant", "request_id", "data"}``: what is of no request has
null in the middle three. No prompt, answer, header, address or rule of a policy (which may be a
word) is ever in one; the id leads to the record, which has them as its route's privacy allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from ai_gateway import strictjson
from ai_gateway.contract import ANONYMOUS
from ai_gateway.control.audit import DONE
from ai_gateway.limits.plan import BILLION
from ai_gateway.records.outcome import FAILED, OWN, REFUSED

if TYPE_CHECKING:
    from ai_gateway.answer.record import Decision
    from ai_gateway.limits.spending import Alert
    from ai_gateway.webhooks.declared import Kind

_LEFT: Final = 499  # the caller did; nothing was refused
_KEYS: Final[Mapping[str, Kind]] = {
    "key.issue": "key.issued",
    "key.rotate": "key.rotated",
    "key.revoke": "key.revoked",
}
_RELOAD: Final = "bundle.reload"
#: What puts another bundle in force, by its action in the audit log.
_CHANGES: Final = (_RELOAD, "bundle.", "route.", "security.", "policy.")


@dataclass(frozen=True, slots=True)
class Message:
    """One event before it has an id and a time; ``key`` gives it an id that repeats."""

    kind: Kind
    data: Mapping[str, Any]
    route: str | None = None
    tenant: str | None = None
    request_id: str | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def fixed_id(self) -> str | None:
        """The id that it has whichever process tells it, if it has one."""
        return None if self.key is None else hashlib.sha256(self.key.encode()).hexdigest()[:32]

    def written(self, message_id: str, now: float) -> bytes:
        """As it is sent; ``now`` is in seconds since the epoch."""
        moment = datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds")
        return strictjson.dumps(
            {
                "id": message_id,
                "type": self.kind,
                "created_at": moment.replace("+00:00", "Z"),
                "route": self.route,
                "tenant": self.tenant,
                "request_id": self.request_id,
                "data": self.data,
            }
        )


def of_decision(decision: Decision, now: float) -> Iterator[Message]:
    """What is told of a request that is over; ``now`` is of the clock that it began by.

    Nothing of the gateway's own calls, and nothing of a request whose caller is not known: else
    whoever knows no key could have the receiver called as often as he likes.
    """
    event = decision.event
    unknown = event.caller is ANONYMOUS and not event.meter.arrived
    if decision.surface in OWN or decision.shadow_of or event.caller.scheme == "job" or unknown:
        return
    whose = {
        "route": event.route.name,
        "tenant": event.caller.tenant,
        "request_id": event.request_id,
    }
    usage, charge = decision.usage, decision.charge
    data = {
        "status": decision.status,
        "error": decision.error,
        "surface": decision.surface,
        "model": decision.served,
        "latency_ms": round((now - event.started) * 1000, 1),
        "input_tokens": usage.input if usage.raw is not None else None,
        "output_tokens": usage.output if usage.raw is not None else None,
        "cost": float(charge.amount) if charge is not None and decision.hit is None else None,
        "cache": decision.cache,
    }
    yield Message(_outcome(decision), data, **whose)
    if blocked := _blocked(decision):
        yield Message("guardrail.blocked", {"status": decision.status, "checks": blocked}, **whose)


def _outcome(decision: Decision) -> Kind:
    if decision.status < REFUSED:
        return "request.completed" if decision.error is None else "request.failed"
    own = decision.status >= FAILED or decision.status == _LEFT
    return "request.failed" if own else "request.refused"


def _blocked(decision: Decision) -> list[dict[str, str]]:
    """The checks that blocked, each once."""
    found = dict.fromkeys(
        (verdict.policy, verdict.check, verdict.stage)
        for verdict in decision.verdicts
        if verdict.action == "block" and verdict.mode == "enforce"
    )
    return [dict(zip(("policy", "check", "stage"), each, strict=True)) for each in found]


def of_audit(row: Mapping[str, Any], after: object) -> Iterator[Message]:
    """What is told of a row of the audit log; ``after`` is the value after the change."""
    action, done = row["action"], row["outcome"] == DONE
    value = after if isinstance(after, dict) else {}
    data = {"audit_id": row["audit_id"], "action": action, "object": row["object"]}
    if done and action in _KEYS:
        data |= {"new_key_id": value.get("id")} if action == "key.rotate" else {}
        yield Message(_KEYS[action], data, tenant=value.get("tenant"))
    elif done and action.startswith(_CHANGES):
        yield Message("bundle.changed", {**data, "bundle": value.get("bundle")})
    elif action == _RELOAD:
        yield Message("bundle.refused", {**data, "outcome": row["outcome"]})


def of_budget(alert: Alert) -> Iterator[Message]:
    """What is told of a budget; the same id from whichever process tells it."""
    data = {
        "budget": alert.budget,
        "of": alert.counter.label,
        "spent": None if alert.spent is None else alert.spent / BILLION,
        "amount": alert.cap / BILLION,
        "until": int(alert.end),
    }
    kind: Kind = "budget.hard" if alert.hard else "budget.soft"
    counter = alert.counter
    key = f"{kind}\n{counter.rule}\n{counter.part}\n{alert.end:.0f}"
    yield Message(kind, data, tenant=counter.tenant or None, key=key)


def of_weights(weights_id: str, scores: Mapping[str, float]) -> Iterator[Message]:
    """What is told of scores that the routing goes by from now on."""
    yield Message("weights.published", {"weights_id": weights_id, "scores": dict(scores)})
