"""The recognisers of the types that a policy names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ai_gateway.guardrails.pii import (
    birth,
    card,
    elsewhere,
    network,
    northern_europe,
    phone,
    southern_europe,
    united_states,
    vehicle,
)
from ai_gateway.guardrails.pii.crypto import Crypto
from ai_gateway.guardrails.pii.hit import Recogniser
from ai_gateway.guardrails.pii.iban import Iban
from ai_gateway.guardrails.pii.nearby import Words
from ai_gateway.guardrails.pii.patterned import Patterned
from ai_gateway.guardrails.pii.shapes import Shaped, Shapes
from ai_gateway.guardrails.pii.types import Type

_SHAPED = (
    *card.SHAPED,
    *united_states.SHAPED,
    *northern_europe.SHAPED,
    *southern_europe.SHAPED,
    *elsewhere.SHAPED,
)
_PATTERNED = (*network.PATTERNED, *vehicle.PATTERNED, *birth.PATTERNED)


def recognisers(types: Iterable[Type], region: str) -> tuple[list[Recogniser], Words]:
    """What finds ``types``, and the words that they are told by.

    ``region`` is where telephone numbers without a country's code are from; ValueError if it is
    no country.
    """
    wanted = set(types)
    shaped = [each for each in _SHAPED if each.type in wanted]
    patterned = [each for each in _PATTERNED if each.type in wanted]
    found: list[Recogniser] = [*patterned]
    if shaped:
        found.append(Shapes(shaped))
    words: dict[str, set[str]] = defaultdict(set)
    told: list[Shaped | Patterned] = [*shaped, *patterned]
    for each in told:
        words[each.type].update(each.words)
    if "iban" in wanted:
        found.append(Iban())
    if "crypto" in wanted:
        found.append(Crypto())
    if "phone" in wanted:
        found.append(phone.Phone(region))
        words["phone"].update(phone.WORDS)
        words["phone label"].update(phone.LABELS)
    return found, Words(words)
