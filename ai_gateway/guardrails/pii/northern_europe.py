"""National numbers of the United Kingdom, Germany, the Netherlands, Poland and Sweden."""

from __future__ import annotations

from collections import Counter

from ai_gateway.guardrails.pii.calendar import is_day
from ai_gateway.guardrails.pii.checksums import luhn, mod_11_10, weighted
from ai_gateway.guardrails.pii.shapes import Shaped

_NO_NINO = {b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"}
#: Month + 20 · k says the century of a PESEL.
_PESEL_CENTURIES = (1900, 2000, 2100, 2200, 1800)


def is_nhs(digits: bytes) -> bool:
    """Ten digits modulo 11 (NHS Data Dictionary, NHS NUMBER)."""
    check = -weighted(digits, range(10, 1, -1)) % 11
    return check == digits[9] - ord("0") and digits != b"0" * 10


def is_nino(code: bytes) -> bool:
    """Prefix without D, F, I, Q, U, V, no O in second place, suffix A-D (HMRC, NIM39110)."""
    prefix = code[:2]
    return (
        not set(prefix) & set(b"DFIQUV")
        and prefix[1:] != b"O"
        and prefix not in _NO_NINO
        and code[8:] in {b"A", b"B", b"C", b"D"}
    )


def is_steuer_id(digits: bytes) -> bool:
    """Of the first ten digits one stands there twice or three times, and MOD 11,10 (BZSt)."""
    counts = sorted(Counter(digits[:10]).values())
    return digits[:1] != b"0" and counts[-1] in {2, 3} and counts[-2] == 1 and mod_11_10(digits)


def is_bsn(digits: bytes) -> bool:
    """The Dutch eleven test, of nine digits."""
    return weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and digits.strip(b"0") != b""


def is_pesel(digits: bytes) -> bool:
    """A date of birth with its century in the month, and weights 1 3 7 9."""
    century, month = divmod(int(digits[2:4]), 20)
    year = _PESEL_CENTURIES[century] + int(digits[:2])
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return is_day(year, month, int(digits[4:6])) and weighted(digits, weights) % 10 == 0


def is_personnummer(digits: bytes) -> bool:
    """A date of birth (day + 60: a coordination number) and Luhn's digit over the last ten."""
    century, short = digits[:-10] or b"20", digits[-10:]
    born = is_day(int(century + short[:2]), int(short[2:4]), int(short[4:6]) % 60)
    return century in {b"18", b"19", b"20"} and born and luhn(short)


SHAPED = (
    Shaped(
        "uk_nhs",
        {"### ### ####": 0, "###-###-####": 0, "##########": 0},
        is_nhs,
        ("nhs", "national health", "patient"),
    ),
    Shaped(
        "uk_nino",
        {"AA######A": 0.9, "AA ## ## ## A": 1.0, "AA-##-##-##-A": 1.0},
        is_nino,
        ("nino", "national insurance", "ni number"),
    ),
    Shaped(
        "de_steuer_id",
        {"## ### ### ###": 1.0, "###########": 0.9},
        is_steuer_id,
        ("steuer id", "steueridentifikationsnummer", "identifikationsnummer", "idnr", "tax id"),
    ),
    Shaped(
        "nl_bsn",
        {"####.##.###": 0.6, "### ### ###": 0, "#########": 0},
        is_bsn,
        ("bsn", "burgerservicenummer", "sofinummer", "sofi", "citizen service"),
    ),
    Shaped("pl_pesel", {"###########": 0.6}, is_pesel, ("pesel", "numer pesel", "national id")),
    Shaped(
        "se_personnummer",
        {
            "######-####": 0.9,
            "########-####": 1.0,
            "######+####": 0.9,
            "##########": 0,
            "############": 0,
        },
        is_personnummer,
        ("personnummer", "samordningsnummer", "personal identity", "swedish id"),
    ),
)
