"""Stage 5: every decision is written once, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ai_gateway.answer.masks import Masks
from ai_gateway.answer.record import Decision, row
from ai_gateway.clock import Clock
from ai_gateway.errors import GatewayError, internal_error
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.telemetry import current, tracing

if TYPE_CHECKING:
    from ai_gateway.webhooks.hooks import Webhooks


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes decisions under the hashes of one bundle."""

    records: Records
    manifest_hash: str
    policies: Guardrails
    clock: Clock
    metrics: Metrics
    #: Tells receivers; None where the bundle names none.
    webhooks: Webhooks | None = None

    @contextmanager
    def recorded(self, decision: Decision) -> Iterator[None]:
        """Write ``decision`` at the end, with the error that ended it; a stream is written later.

        An error that nobody foresaw is raised as one that is safe for the caller.
        """
        try:
            yield
        except GatewayError as error:
            decision.status, decision.error, error.recorded = error.status, error.code, True
            raise
        except Exception as error:
            failure = internal_error(decision.event.request_id)
            decision.status, decision.error, failure.recorded = failure.status, failure.code, True
            raise failure from error
        finally:
            if not decision.streamed:
                self.write(decision)

    def write(self, decision: Decision) -> None:
        """Append the row of ``decision``, and count it."""
        if decision.hold is not None:
            decision.hold.settle(decision)
        route = decision.event.route
        self.records.append(
            "requests",
            row(
                decision,
                now=self.clock.monotonic(),
                manifest_hash=self.manifest_hash,
                policies=self.policies.names if route.guardrails is None else route.guardrails,
                policies_hash=self.policies.digest,
                masks=Masks(self.policies, route.guardrails),
            ),
        )
        self.metrics.decided(decision)
        self.metrics.objectives.decided(decision, self.clock.monotonic())
        current.decided(decision)
        if decision.event.trace is not None:
            tracing.ended(decision)
        if self.webhooks is not None:
            self.webhooks.decided(decision)
