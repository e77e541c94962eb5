"""International bank account numbers (ISO 13616): a country's length, and 1 modulo 97."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.guardrails.pii.checksums import mod_97
from ai_gateway.guardrails.pii.hit import Hit
from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.nearby import Nearby
from ai_gateway.guardrails.pii.reading import Reading

#: The IBAN registry (SWIFT): how long a country's numbers are.
LENGTHS = {
    length: codes.split()
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
_LENGTH_OF = {code.encode(): length for length, codes in LENGTHS.items() for code in codes}
_COUNTRIES = "|".join(sorted(code for codes in LENGTHS.values() for code in codes))
_PATTERN = compiled(
    rf"(?i)\b(?:{_COUNTRIES})[0-9]{{2}}[ -]?(?:[0-9A-Z]{{4}}[ -]?){{2,7}}[0-9A-Z]{{0,3}}\b"
)
_SEPARATORS = b" -"


class Iban:
    """IBANs, in one piece or in groups of four."""

    def find(self, reading: Reading, nearby: Nearby) -> Iterator[Hit]:  # noqa: ARG002 - certain
        """Each number that is right; the words behind it are none of it."""
        data, at = reading.data, 0
        while match := _PATTERN.search(data, at):
            start, end = match.span()
            at = start + 4
            if stop := _length(data[start:end]):
                at = start + stop
                yield Hit(start, at, "iban", 1.0)


def _length(candidate: bytes) -> int:
    """How much of ``candidate`` is a right IBAN; 0 if none."""
    compact = candidate.translate(None, _SEPARATORS).upper()
    wanted = _LENGTH_OF[compact[:2]]
    code = compact[:wanted]
    if len(code) < wanted or mod_97(code[4:] + code[:4]) != 1:
        return 0
    places = [at for at, sign in enumerate(candidate) if sign not in _SEPARATORS]
    end = places[wanted - 1] + 1
    return 0 if candidate[end : end + 1].isalnum() else end
