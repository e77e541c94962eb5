"""What one answer costs: tokens times rates, or what its upstream says that it charges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ai_gateway.cost.declared import Price
from ai_gateway.cost.prices import Library, Rates, declared
from ai_gateway.cost.tokens import Tokens, tokens
from ai_gateway.formats import Usage

if TYPE_CHECKING:
    from ai_gateway.manifest.model import Model

_MILLION, _THOUSAND = Decimal(10) ** 6, Decimal(10) ** 3
_STATED: Final = {"source": "upstream"}


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount, exact, and the price that it follows from, as a record holds it (JSON)."""

    amount: Decimal
    price: Mapping[str, str]


def charge(
    usage: Usage, price: Price | None, look_up: Callable[[Tokens], Rates | None] | None
) -> Charge | None:
    """What ``usage`` costs, or None where that is not known.

    By the manifest's ``price``, else by what the upstream says that it charges, else by the public
    price that ``look_up`` finds; None where there is none to be found.
    """
    said = stated(usage.raw) if price is None else None
    if said is not None:
        return Charge(said, _STATED)
    known = price is not None or look_up is not None
    counted = tokens(usage) if known else None
    if counted is None:
        return None
    rates = declared(price) if price else look_up and look_up(counted)
    return Charge(cost(counted, rates), rates.stored()) if rates else None


def charge_of(usage: Usage, model: Model, library: Library) -> Charge | None:
    """What ``usage`` of ``model`` costs, by its own price or else the public one of its address."""
    public = None if model.price else library.look_up(model.url, model.model_id)
    return charge(usage, model.price, public)


def again(usage: Usage, stored: Mapping[str, Any]) -> Decimal | None:
    """The amount of a ``Charge`` from its stored price; raises ValueError where that is none."""
    if stored == _STATED:
        return stated(usage.raw)
    counted = tokens(usage)
    return None if counted is None else cost(counted, Rates.parse(stored))


def cost(counted: Tokens, rates: Rates) -> Decimal:
    """Money for ``counted``, exact; ``float`` of it is what a record holds."""
    per_million = (
        counted.fresh * rates.input
        + counted.cached * rates.cached
        + counted.written * rates.cache_write
        + counted.written_1h * rates.cache_write_1h
        + counted.answer * rates.output
        + counted.reasoning * rates.reasoning
    )
    return per_million / _MILLION + counted.searches * rates.searches / _THOUSAND


def stated(raw: Mapping[str, Any] | None) -> Decimal | None:
    """What the upstream itself says that it charges, as OpenRouter does; None where it does not.

    With a key of the operator's own the charge is a fee, and the model's provider charges too.
    """
    found = _money(raw, "cost")
    if found is None or raw is None:
        return None
    own_key = raw.get("is_byok") is True
    provider = _money(raw.get("cost_details"), "upstream_inference_cost") if own_key else None
    return found + (provider or Decimal(0))


def _money(holder: object, name: str) -> Decimal | None:
    value = holder.get(name) if isinstance(holder, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return Decimal(str(value)) if 0 <= value < 1e9 else None  # noqa: PLR2004 - a sane bill
