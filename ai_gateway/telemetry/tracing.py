"""What the gateway tells of a request while it is served, if anybody wants traces.

These are the shapes only: ``otel`` implements them and is imported where an address to export to
is set. Off, a request pays for a comparison with None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from ai_gateway.answer.record import Attempt, Decision
    from ai_gateway.contract import Event
    from ai_gateway.manifest.model import Model

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Called(NamedTuple):
    """What one call to a model, or to a target, is; ``model`` is None for a target."""

    name: str
    form: str
    url: str
    model: Model | None = None
    streamed: bool = False


class CallSpan(Protocol):
    """One call to a model."""

    #: What the model's server is told, so that its own spans are of the same trace.
    headers: Sequence[tuple[str, str]]
    #: What the upstream itself calls the model that answered.
    answered_by: str | None

    def end(self, attempt: Attempt, decision: Decision, *, last: bool) -> None:
        """The call is over, as ``attempt`` tells; ``last`` is the one whose answer was taken."""


class Trace(Protocol):
    """One request."""

    def call(self, called: Called, now: float) -> CallSpan:
        """A call to a model begins, at ``now`` seconds since the epoch."""

    def end(self, status: int, now: float, decision: Decision | None) -> None:
        """The request is over, its reply sent."""


class Tracing(Protocol):
    """All requests of a process."""

    def request(self, event: Event) -> Trace:
        """A request begins; it goes on with its caller's trace, if he says which."""

    def close(self) -> None:
        """Send what is not sent yet, in a few seconds at most."""


def wanted(variables: Mapping[str, str]) -> bool:
    """Whether traces go anywhere."""
    off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return bool(variables.get(ENDPOINT, "").strip()) and not off


def missing() -> bool:
    """Whether the libraries for it are not there."""
    try:
        return any(find_spec(name) is None for name in _NEEDED)
    except ModuleNotFoundError:  # of a parent
        return True


def exporting(variables: Mapping[str, str]) -> Tracing | None:
    """What exports to where ``variables`` say; None where they do not."""
    if not wanted(variables):
        return None
    module = import_module("ai_gateway.telemetry.otel")  # late: off must cost nothing
    return cast("Tracing", module.OpenTelemetry.of(variables))


def ended(decision: Decision) -> None:
    """Every call of ``decision`` is over."""
    last = len(decision.attempts) - 1
    for index, attempt in enumerate(decision.attempts):
        if attempt.span is not None:
            attempt.span.end(attempt, decision, last=index == last)
