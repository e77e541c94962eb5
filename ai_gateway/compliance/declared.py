"""What an operator declares of how long rows are kept, and of what a route promises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Duration
from ai_gateway.records.keeping import Keep

if TYPE_CHECKING:
    from ai_gateway.records.schema import Table

_DAY: Final = 86_400.0
_HOUR: Final = 3600.0
_LONGEST: Final = 366 * _DAY
_DAYS: Final = {"d": 1, "w": 7, "y": 365}
#: Tables that are pruned, and whether their rows are a tenant's.
TABLES: Final[Mapping[Table, bool]] = {
    "requests": True,
    "scores": True,
    "feedback": True,
    "webhooks": True,
    "weights": False,
    "audit": False,
}


def age(value: object) -> float:
    """Seconds from ``90d``, ``12w`` or ``1y`` (365 days): whole days, since dates go whole."""
    match = re.fullmatch(r"([1-9]\d{0,5})\s*([dwy])", str(value).strip())
    if not match:
        raise ValueError("whole days, weeks or years, such as 90d, 12w or 1y")
    return int(match[1]) * _DAYS[match[2]] * _DAY


def share(value: object) -> float:
    """A share between 0 and 1 from ``99.9%`` or ``0.999``."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?)\s*%", str(value).strip())
    if isinstance(value, float):
        found = value
    elif match:
        found = round(float(match[1]) / 100, 11)
    else:
        found = 0.0
    if not 0 < found < 1:
        raise ValueError("a share above 0 % and below 100 %, such as 99.9% or 0.999")
    return found


Age = Annotated[
    float,
    BeforeValidator(age),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9]\d{0,5}\s*[dwy]$"}),
]
Share = Annotated[
    float,
    BeforeValidator(share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d{1,3}(\.\d{1,9})?\s*%$"},
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            ]
        }
    ),
]


class TenantRetention(Closed):
    """How long one tenant's rows are kept, where that differs."""

    requests: Age | None = None
    scores: Age | None = None
    feedback: Age | None = None
    webhooks: Age | None = None


class Retention(Closed):
    """How long the rows of each table are kept; for ever where nothing is said."""

    requests: Age | None = None
    scores: Age | None = None
    feedback: Age | None = None
    webhooks: Age | None = Field(None, description="Dead letters.")
    weights: Age | None = Field(None, description="The newest are kept always: routing needs them.")
    audit: Age | None = Field(None, description="What is left of its chains stays verifiable.")
    tenants: dict[Annotated[str, Field(min_length=1, max_length=200)], TenantRetention] = Field(
        {}, description="Longer or shorter, by the tenant's name."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Retention:
        if not self.keeps():
            raise ValueError("at least one rule, such as requests: 90d")
        return self

    def keeps(self) -> dict[Table, Keep]:
        """The rules of the tables that have any."""
        found = {name: self._keep(name, owned=owned) for name, owned in TABLES.items()}
        return {name: keep for name, keep in found.items() if keep != Keep()}

    def _keep(self, name: Table, *, owned: bool) -> Keep:
        tenants = {
            tenant: seconds
            for tenant, rules in self.tenants.items()
            if owned and (seconds := getattr(rules, name)) is not None
        }
        return Keep(getattr(self, name), tenants)


class Latency(Closed):
    """So large a share of the served requests is answered within so long."""

    p: Share = Field(description="95%")
    under: Duration


def _window(seconds: float) -> float:
    if not _HOUR <= seconds <= _LONGEST:
        raise ValueError("from 1h to 366d")
    return seconds


class Slo(Closed):
    """What a route promises, over a window that ends now."""

    availability: Share | None = Field(
        None, description="Of requests that are served or fail: the share that is served."
    )
    latency: Latency | None = None
    window: Annotated[Duration, AfterValidator(_window)] = 30 * _DAY

    @model_validator(mode="after")
    def _says_something(self) -> Slo:
        if self.availability is None and self.latency is None:
            raise ValueError("availability, latency or both")
        return self

    @property
    def limit(self) -> float | None:
        """Milliseconds from which on a request is slow; None where none is."""
        return self.latency.under * 1000 if self.latency else None
