"""What a model's tokens are priced at, and where that is known from."""

from __future__ import annotations

import datetime as dt
import importlib
import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from cachetools import TTLCache

from ai_gateway.clock import Clock
from ai_gateway.cost.declared import Price
from ai_gateway.cost.tokens import Tokens

_SOURCE: Final = "manifest"
_UNKNOWN: Final = None, ""
#: Vertex AI names a model's publisher before it; the package does not.
_PUBLISHER: Final = "google/"
_KEPT = 60.0  # seconds: some providers' prices change with the time of day


@dataclass(frozen=True, slots=True)
class Rates:
    """Money per million tokens, and per thousand searches; exact, so that costs are too."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    output: Decimal
    reasoning: Decimal
    searches: Decimal
    #: ``manifest``, or the library with its version.
    source: str = _SOURCE

    @lru_cache(maxsize=1000)  # noqa: B019 - a handful of rates, each asked for at every request
    def stored(self) -> Mapping[str, str]:
        """As a record holds it, from which the cost can be worked out again."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Rates:
        """What ``stored`` gave; raises ValueError for anything else."""
        amounts = {name: stored.get(name) for name in _AMOUNTS}
        try:
            return cls(
                **{name: Decimal(str(amount)) for name, amount in amounts.items()},
                source=str(stored.get("source", _SOURCE)),
            )
        except InvalidOperation:
            raise ValueError("no rates of a record") from None


_AMOUNTS = tuple(field.name for field in fields(Rates) if field.name != "source")


@lru_cache(maxsize=1000)
def declared(price: Price) -> Rates:
    """The rates of a price in the manifest."""
    given = {
        "input": price.input,
        "output": price.output,
        "cached": price.cached,
        "cache_write": price.cache_write,
        "cache_write_1h": price.cache_write_1h,
        "reasoning": price.reasoning,
        "searches": price.searches,
    }
    # By way of text: 0.1 is a tenth, not the double that is nearest to it.
    return _filled({name: Decimal(str(v)) for name, v in given.items() if v is not None}, _SOURCE)


def _filled(given: Mapping[str, Decimal], source: str) -> Rates:
    """What is left out costs what it is a part of."""
    written = given.get("cache_write", given["input"])
    return Rates(
        input=given["input"],
        cached=given.get("cached", given["input"]),
        cache_write=written,
        cache_write_1h=given.get("cache_write_1h", written),
        output=given["output"],
        reasoning=given.get("reasoning", given["output"]),
        searches=given.get("searches", Decimal(0)),
        source=source,
    )


class Library:
    """The prices that the ``genai-prices`` package carries; it never goes to the network.

    A model is priced by its provider's address alone: a model of the same name on somebody's own
    machine has no public price. The package is loaded at the first look-up (0.2 s, 18 MB); without
    it there are no public prices.
    """

    _NAMES: Final = {
        "input": "input_mtok",
        "cached": "cache_read_mtok",
        "cache_write": "cache_write_mtok",
        "cache_write_1h": "cache_write_1h_mtok",
        "output": "output_mtok",
        "reasoning": "output_reasoning_mtok",
        "searches": "web_searches_kcount",
    }

    def __init__(self, clock: Clock, package: str = "genai_prices") -> None:
        self._clock = clock
        self._package = package
        self._lock = Lock()
        self._known = TTLCache[tuple[str, str], tuple[Any, str]](1000, _KEPT, clock.monotonic)

    def rates(self, url: str, model_id: str, counted: Tokens) -> Rates | None:
        """The rates now, by the tier that so many input tokens fall into."""
        found, source = self._of(url, model_id) if _may_be_public(url) else _UNKNOWN
        if found is None:
            return None
        prices = {
            ours: amount
            for ours, theirs in self._NAMES.items()
            if (amount := _amount(getattr(found, theirs, None), counted.input)) is not None
        }
        if not prices:
            return None
        free = Decimal(0)  # an embeddings model has no price of output, for it has no output
        return _filled({"input": free, "output": free, **prices}, source)

    def look_up(self, url: str, model_id: str) -> Callable[[Tokens], Rates | None] | None:
        """What gives the public rates of a model; None where it has none.

        Asked at start, it loads the package before a request comes. For an address that no provider
        has it is not loaded at all.
        """
        known = _may_be_public(url) and self._of(url, model_id)[0] is not None
        return partial(self.rates, url, model_id) if known else None

    def _of(self, url: str, model_id: str) -> tuple[Any, str]:
        with self._lock:
            key = url, model_id
            if key not in self._known:
                self._known[key] = self._look_up(url, model_id)
            return self._known[key]

    def _look_up(self, url: str, model_id: str) -> tuple[Any, str]:
        """The package's own prices of the model; None where it knows none."""
        try:
            package = importlib.import_module(self._package)
        except ImportError:
            return _UNKNOWN
        now = dt.datetime.fromtimestamp(self._clock.now(), dt.timezone.utc)
        for name in dict.fromkeys((model_id, model_id.removeprefix(_PUBLISHER))):
            with suppress(LookupError):
                found = package.calc_price(
                    package.Usage(input_tokens=1),
                    name,
                    provider_api_url=url,
                    genai_request_timestamp=now,
                )
                return found.model_price, f"genai-prices {package.__version__}"
        return _UNKNOWN


@lru_cache(maxsize=1000)
def _may_be_public(url: str) -> bool:
    """Whether its host has a name of the open internet: no address in numbers, no bare name."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host
    return False


def _amount(price: Any, counted: int) -> Decimal | None:
    """One price, or that of the last tier that begins below ``counted`` input tokens."""
    for tier in reversed(getattr(price, "tiers", ())):
        if counted > tier.start:
            return Decimal(tier.price)
    base = getattr(price, "base", price)
    return base if base is None else Decimal(base)
