"""Payment cards: the ranges that issuers publish (ISO/IEC 7812), and Luhn's check digit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from ai_gateway.guardrails.pii.checksums import luhn
from ai_gateway.guardrails.pii.shapes import Shaped

#: First and last six digits of an issuer's range, and how long its numbers are.
_RANGES: list[tuple[int, int, Iterable[int]]] = [
    (180000, 180099, (15,)),  # JCB, older
    (213100, 213199, (15,)),  # JCB, older
    (220000, 220499, range(16, 20)),  # Mir
    (222100, 272099, (16,)),  # Mastercard
    (300000, 305999, range(14, 20)),  # Diners Club
    (309000, 309999, range(14, 20)),  # Diners Club
    (340000, 349999, (15,)),  # American Express
    (352800, 358999, range(16, 20)),  # JCB
    (360000, 369999, range(14, 20)),  # Diners Club
    (370000, 379999, (15,)),  # American Express
    (380000, 399999, range(14, 20)),  # Diners Club
    (400000, 499999, (13, 16, 19)),  # Visa
    (500000, 509999, range(12, 20)),  # Maestro, Dankort, Elo, RuPay, Verve
    (510000, 559999, (16,)),  # Mastercard
    (560000, 589999, range(12, 20)),  # Maestro
    (600000, 609999, range(16, 20)),  # Discover, RuPay, Hipercard
    (610000, 619999, range(12, 20)),  # Maestro
    (620000, 629999, range(16, 20)),  # UnionPay
    (630000, 639999, range(12, 20)),  # Maestro, InstaPayment, InterPayment
    (640000, 659999, range(16, 20)),  # Discover, Elo, RuPay
    (660000, 699999, range(12, 20)),  # Maestro
    (810000, 829999, range(16, 20)),  # UnionPay, RuPay
    (979200, 979289, (16,)),  # Troy
]
_FIRST = [low for low, _, _ in _RANGES]

_WORDS = (
    "card",
    "credit card",
    "debit card",
    "payment card",
    "visa",
    "mastercard",
    "amex",
    "american express",
    "maestro",
    "discover",
    "diners club",
    "jcb",
    "unionpay",
    "carte bancaire",
    "carte de credit",
    "kreditkarte",
    "tarjeta",
    "carta di credito",
    "cartao",
    "cvv",
    "cvc",
)
_GROUPED = {
    shape.replace(" ", separator): 1.0
    for separator in " -."
    for shape in (
        "#### #### #### ####",
        "#### ###### #####",
        "#### ###### ####",
        "#### #### #### #### ###",
    )
}
#: Of other lengths one number in thirty passes by chance.
_SOLID = {"#" * length: 0.9 if length in {15, 16} else 0.6 for length in range(12, 20)}


def is_card(digits: bytes) -> bool:
    """Whether an issuer has such numbers, and the check digit is right."""
    prefix = int(digits[:6])
    at = bisect_right(_FIRST, prefix) - 1
    if at < 0 or prefix > _RANGES[at][1]:
        return False
    return len(digits) in _RANGES[at][2] and luhn(digits)


def _is_called_card(digits: bytes) -> bool:
    """What a text calls a card is one without a known issuer too."""
    return luhn(digits) and digits.strip(b"0") != b""


SHAPED = (
    Shaped("card", _GROUPED | _SOLID, is_card, _WORDS),
    Shaped("card", dict.fromkeys(_SOLID, 0), _is_called_card, _WORDS, near=0.7),
)
