"""Dates of birth: a date near a word of birth."""

from __future__ import annotations

from ai_gateway.guardrails.pii.calendar import is_day
from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.patterned import Patterned

#: English, German, French, Spanish, Italian and Dutch, as far as they tell months apart.
_MONTH = (
    "(?:jan|ene|gen|feb|fev|mar|maa|apr|avr|abr|may|mai|mei|mag|jun|jui|giu|jul|lug|aug|aou|ago"
    "|sep|set|oct|okt|ott|nov|dec|dez|dic)[a-z]{0,7}"
)
_YEAR = "(?:1[89]|20)[0-9]{2}"
_DATE = compiled(
    r"(?i)\b(?:"
    rf"{_YEAR}[-./][0-9]{{1,2}}[-./][0-9]{{1,2}}"
    rf"|[0-9]{{1,2}}[-./ ][0-9]{{1,2}}[-./ ](?:{_YEAR}|[0-9]{{2}})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|er|\.)?[ -](?:of |de |di )?{_MONTH}\.?,?[ -](?:de |of )?{_YEAR}"
    rf"|{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}"
    r")\b"
)
_SEPARATORS = bytes.maketrans(b"./ ", b"---")


def _date(written: bytes) -> float:
    """In numbers it must be a day, in whichever order; what names its month is one."""
    parts = written.translate(_SEPARATORS).split(b"-")
    if not all(part.isdigit() for part in parts):
        return 0.9
    first, second, third = map(int, parts)
    if len(parts[0]) == len("1985"):
        return 0.9 if is_day(first, second, third) else 0
    return 0.9 if is_day(third, second, first) or is_day(third, first, second) else 0


PATTERNED = (
    Patterned(
        "date_of_birth",
        b"",
        _DATE,
        _date,
        joints=b"-./",
        words=(
            "born",
            "born on",
            "birth",
            "date of birth",
            "dob",
            "birthday",
            "birthdate",
            "bday",
            "geboren",
            "geburtsdatum",
            "ne le",
            "nee le",
            "naissance",
            "nacimiento",
            "nacido",
            "nacida",
            "nascita",
            "nato il",
            "nata il",
            "geboortedatum",
            "nascimento",
        ),
        only_near=True,
        near=0.9,
    ),
)
