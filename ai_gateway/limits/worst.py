"""The most that a call may come to, before any model is asked.

The input is the project's estimate, a picture 1,600 tokens; the output is what the caller allows,
within what the model declares, which is sent where the caller allows nothing: see
``ai_gateway.upstream.request``. The money is the two at the dearest price that each may have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ai_gateway import strictjson
from ai_gateway.answer.places import Places
from ai_gateway.cost.estimate import asked, once
from ai_gateway.cost.prices import Library, Rates, declared
from ai_gateway.cost.tokens import Tokens
from ai_gateway.formats import Body, Format
from ai_gateway.guardrails.scene import Text
from ai_gateway.limits.plan import BILLION

#: By format: the fields by which a caller limits what is generated. Others generate no text.
LIMITS: Final = {
    "chat": ("max_tokens", "max_completion_tokens"),
    "completions": ("max_tokens",),
    "messages": ("max_tokens",),
    "responses": ("max_output_tokens",),
}
#: Formats whose answers have no output that is priced.
_WORDLESS: Final = frozenset({"embeddings", "rerank", "ranking"})
#: What is asked for nothing.
_FREE: Final = frozenset({"count_tokens"})
#: What a model reads beside the texts.
_DEFINED: Final = ("tools", "functions", "response_format", "text")
_PICTURE: Final = 1600
_PICTURES: Final = frozenset(
    {"image", "document", "image_url", "input_image", "input_file", "file", "input_audio"}
)
#: The most that is reserved of anything: what Lua and JSON count exactly.
_MOST: Final = 2**53 - 1


def tokens_in(form: Format, body: Body, texts: Iterable[Text]) -> int:
    """Tokens of the request, whose ``texts`` the format has found."""
    if form.name in _FREE:
        return 0
    tools = [strictjson.dumps(body[key]).decode() for key in _DEFINED if body.get(key)]
    given = asked(once(text.text for text in texts), tools="".join(tools))
    said = body.get("messages") or body.get("input") or body.get("prompt")
    return given + (_unread(said) if isinstance(said, list) else 0)


def _unread(said: list[Any]) -> int:
    """Of what is no text: pictures, and tokens that the caller counted himself."""
    found = 0
    for item in _items(said):
        if isinstance(item, int):
            found += 1
        elif isinstance(item, Mapping) and item.get("type") in _PICTURES:
            found += _PICTURE
    return found


def _items(said: list[Any]) -> Iterator[object]:
    """What stands in ``said``, in lists in it, and in the contents of its messages."""
    for item in said:
        inner = item.get("content") if isinstance(item, Mapping) else item
        if isinstance(inner, list):
            yield from _items(inner)
        yield item


def tokens_out(form: Format, body: Body, most: int | None, assumed: int | None) -> int:
    """Tokens of the answer of a model that gives at most ``most``.

    ``assumed`` counts where neither the model nor the caller says; then it is not enforced.
    """
    if form.name in _WORDLESS or form.name in _FREE:
        return 0
    wanted = 0
    for name in LIMITS.get(form.name, ()):
        wanted = max(wanted, _number(body.get(name)))
    if most is not None:
        wanted = min(wanted or most, most)
    choices = max(1, _number(body.get("n")), _number(body.get("best_of")))
    return min(_MOST, (wanted or assumed or 0) * choices * _asked(body))


def _asked(body: Body) -> int:
    """How many questions ``body`` asks: a completion has an answer to each of its prompts."""
    prompts = body.get("prompt")
    return max(1, len(prompts)) if isinstance(prompts, list) else 1


def _number(value: object) -> int:
    """A whole number above 0; 0 for anything else, which limits nothing."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return math.ceil(value) if 0 < value < _MOST else 0


#: Of a token of input and of output, in thousandths of a billionth of the currency.
_Price = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Prices:
    """The dearest price of each model, whatever of its endpoints answers and however it counts."""

    known: Mapping[str, _Price]
    looked_up: Mapping[str, tuple[Callable[[Tokens], Rates | None], ...]]

    @classmethod
    def of(cls, there: Mapping[str, Places], library: Library) -> Prices:
        """Those of the models at ``there``: declared, or public."""
        known, looked_up = {}, {}
        for name, places in there.items():
            if price := places[0].model.price:
                known[name] = _dearest([declared(price)])
                continue
            found = [library.look_up(place.model.url, place.model.model_id) for place in places]
            if all(found):
                looked_up[name] = tuple(look for look in found if look)
        return cls(known, looked_up)

    def __contains__(self, model: str) -> bool:
        """Whether ``model`` has a price."""
        return model in self.known or model in self.looked_up

    def most(self, model: str, given: int, answer: int) -> int:
        """Billionths of the currency; raises LookupError for a model without a price."""
        price = self.known.get(model)
        if price is None:
            rates = [look(Tokens(fresh=given)) for look in self.looked_up[model]]
            price = _dearest([found for found in rates if found])
        return min(_MOST, -(-(given * price[0] + answer * price[1]) // 1000))


def _dearest(rates: Iterable[Rates]) -> _Price:
    """What a token of input and of output costs at most, in thousandths of a billionth."""
    rates = list(rates)
    if not rates:
        raise LookupError("a model has lost its price")
    inputs = (max(r.input, r.cached, r.cache_write, r.cache_write_1h) for r in rates)
    outputs = (max(r.output, r.reasoning) for r in rates)
    return _scaled(max(inputs)), _scaled(max(outputs))


def _scaled(per_million: Decimal) -> int:
    return math.ceil(per_million * 1000 * BILLION / 10**6)
