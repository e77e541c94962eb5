"""Stage 5: every decision is written once, however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ai_gateway.answer.record import Decision, row
from ai_gateway.answer.vault import masked
from ai_gateway.clock import Clock
from ai_gateway.errors import GatewayError, internal_error
from ai_gateway.guardrails.engine import Guardrails, Inspection
from ai_gateway.guardrails.scene import Text
from ai_gateway.records import Records


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes decisions under the hashes of one bundle."""

    records: Records
    manifest_hash: str
    policies: Guardrails
    clock: Clock

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
        """Append the row of ``decision``."""
        route = decision.event.route
        self.records.append(
            "requests",
            row(
                decision,
                now=self.clock.monotonic(),
                manifest_hash=self.manifest_hash,
                policies=self.policies.names if route.guardrails is None else route.guardrails,
                policies_hash=self.policies.digest,
                redact=partial(self._redacted, route.guardrails),
                hide=partial(self._hidden, route.guardrails),
            ),
        )

    def _redacted(self, names: Sequence[str] | None, text: str) -> str:
        return masked(text, self.policies.places(text, names))

    def _hidden(self, names: Sequence[str] | None, text: str, stage: str) -> str | None:
        if not self.policies.redacts(stage, names):
            return text
        found = Inspection()
        self.policies.redact([Text(text, stage)], names, found)
        return None if found.failed else masked(text, found.redactions)
