"""What an operator declares of a receiver of webhooks."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, SecretStr, model_validator
from pydantic_core import CoreSchema

from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.units import Duration

#: What is told of one request, to its route's callback or the bundle's.
OfRequest = Literal["request.completed", "request.refused", "request.failed", "guardrail.blocked"]
#: What is told of the gateway, to the bundle's callback.
OfGateway = Literal[
    "budget.soft",
    "budget.hard",
    "key.issued",
    "key.rotated",
    "key.revoked",
    "bundle.changed",
    "bundle.refused",
    "weights.published",
]
Kind = Literal[OfRequest, OfGateway]
OF_REQUEST: Final[tuple[OfRequest, ...]] = get_args(OfRequest)
OF_GATEWAY: Final[tuple[OfGateway, ...]] = get_args(OfGateway)
_LONGEST: Final = 60.0  # seconds that one attempt may take: a lane waits as long


def _short(seconds: float) -> float:
    if seconds > _LONGEST:
        raise ValueError("at most 60s")
    return seconds


class Redelivery(Closed):
    """How often an event that was not taken is sent again, and when."""

    attempts: int = Field(15, ge=1, le=100, description="In all; then it is a dead letter.")
    backoff: Duration = Field(1.0, description="Before the second; doubles each time, jittered.")
    max_backoff: Duration = 600.0

    @model_validator(mode="after")
    def _grows(self) -> Redelivery:
        if self.max_backoff < self.backoff:
            raise ValueError("`max_backoff` is shorter than `backoff`")
        return self


class Callback(Closed):
    """A receiver of events; the short form is its URL alone."""

    url: str = Field(max_length=2_000, description="Gets a POST for each event.")
    secret: Annotated[tuple[SecretStr, ...], OneOrMore] = Field(
        (),
        max_length=2,
        description="What events are signed with, base64, `whsec_` before it or not; two while one "
        "takes the other's place. GATEWAY_WEBHOOK_SECRET if left out.",
    )
    events: Annotated[tuple[Kind, ...] | None, OneOrMore] = Field(
        None, min_length=1, description="All that there are if left out."
    )
    timeout: Annotated[Duration, AfterValidator(_short)] = Field(
        10.0, description="Of one attempt; at most 60s."
    )
    retries: Redelivery = Redelivery()
    ca_file: str | None = Field(None, description="Certificates to trust for this receiver.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """As pydantic's own, or the short form."""
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}
