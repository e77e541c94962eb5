"""Which telephone numbers there are: the plans of all countries, from phonenumbers' own data.

phonenumbers parses with Python's backtracking patterns, about 40 µs a number. The same patterns are
RE2 here, one a calling code, made when a number of that country is first met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers
from phonenumbers import PhoneMetadata

from ai_gateway.guardrails.pii.latin import compiled

_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
_CODES = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
#: Stands for a calling code that is no country's.
_NO_COUNTRY = "001"
#: What matches one digit in phonenumbers' patterns, and how often, which holds digits as well.
_DIGIT = re.compile(r"\{[0-9,]+\}|\\d|\[[0-9-]+\]|[0-9]")
#: What may stand between two digits of a number as it is written.
_GAP = r"[ .\-/()]{0,2}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The national numbers of a country, with its own prefix (0, say) or without.

    ``written`` finds in a text what is as long as such a number and opens like one; ``digits``
    fully matches the digits of one that there is, also in the countries that share its code.
    """

    written: Any
    digits: Any


def is_international(digits: bytes) -> bool:
    """Whether there is such a number; ``digits`` open with a calling code."""
    for length in (1, 2, 3):
        code = int(digits[:length] or b"0")
        if code in _CODES:
            return _digits(code).fullmatch(digits[length:]) is not None
    return False


def of_region(region: str) -> Plan:
    """The plan of a country (ISO 3166, ``US``); ValueError if there is no such country."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("a country by its two capital letters (US, GB, DE)")
    country: Any = PhoneMetadata.metadata_for_region(region)
    general = f"{_prefix(country)}(?:{country.general_desc.national_number_pattern})"
    written = compiled(rf"\b{_DIGIT.sub(_spaced, general)}(?:\b|[xX])")
    return Plan(written, _digits(country.country_code))


@cache
def _digits(code: int) -> Any:
    """What matches the national numbers of a calling code."""
    countries = [
        PhoneMetadata.metadata_for_nongeo_region(code)
        if region == _NO_COUNTRY
        else PhoneMetadata.metadata_for_region(region)
        for region in _CODES[code]
    ]
    union = "|".join(sorted({kind for country in countries for kind in _patterns(country)}))
    return compiled(f"{_prefix(countries[0])}(?:{union})")


def _prefix(country: Any) -> str:
    return f"(?:{country.national_prefix or ''})?"


def _patterns(country: Any) -> Iterator[str]:
    for kind in _KINDS:
        description = getattr(country, kind)
        if description is not None and description.national_number_pattern:
            yield description.national_number_pattern


def _spaced(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith("{") else f"(?:{_GAP}{match[0]})"
