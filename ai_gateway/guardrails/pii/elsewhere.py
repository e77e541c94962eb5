"""Numbers of India, Brazil, Canada and Australia, and passports of any country."""

from __future__ import annotations

from ai_gateway.guardrails.pii.checksums import luhn, verhoeff, weighted
from ai_gateway.guardrails.pii.shapes import Shaped

_TFN_WEIGHTS = (1, 4, 3, 7, 5, 8, 6, 9, 10)


def is_aadhaar(digits: bytes) -> bool:
    """Twelve digits, the first 2-9, with Verhoeff's check (UIDAI)."""
    return digits[0] >= ord("2") and verhoeff(digits) and digits != digits[::-1]


def is_cpf(digits: bytes) -> bool:
    """Two check digits modulo 11, not eleven times the same (Receita Federal)."""
    first = -weighted(digits, range(10, 1, -1)) % 11 % 10
    second = -weighted(digits, range(11, 1, -1)) % 11 % 10
    return digits[9:] == b"%d%d" % (first, second) and len(set(digits)) > 1


def is_sin(digits: bytes) -> bool:
    """Luhn's check digit; no number starts with 0 or 8 (Employment and Social Development)."""
    return digits[:1] not in b"08" and luhn(digits)


def is_tfn(digits: bytes) -> bool:
    """Weights 1 4 3 7 5 8 6 9 10 modulo 11 (Australian Taxation Office)."""
    return weighted(digits, _TFN_WEIGHTS) % 11 == 0 and digits != b"0" * 9


SHAPED = (
    Shaped(
        "in_aadhaar",
        {"#### #### ####": 0.6, "####-####-####": 0.6, "############": 0},
        is_aadhaar,
        ("aadhaar", "aadhar", "adhaar", "uidai", "uid"),
    ),
    Shaped(
        "br_cpf",
        {"###.###.###-##": 1.0, "#########-##": 0.9, "###########": 0.6},
        is_cpf,
        ("cpf", "cadastro de pessoas fisicas"),
    ),
    Shaped(
        "ca_sin",
        {"### ### ###": 0, "###-###-###": 0, "#########": 0},
        is_sin,
        ("sin", "social insurance", "assurance sociale", "nas"),
    ),
    Shaped(
        "au_tfn",
        {"### ### ###": 0, "###-###-###": 0, "#########": 0},
        is_tfn,
        ("tfn", "tax file", "tax file no"),
    ),
    Shaped(
        "passport",
        dict.fromkeys(
            (
                *("A" + "#" * count for count in (6, 7, 8)),
                *("AA" + "#" * count for count in (6, 7)),
                *("#" * count for count in (7, 8, 9, 10)),
                "##AA#####",
                "A##A##A##",
                "A##A#####",
            ),
            0,
        ),
        lambda _number: True,
        ("passport", "reisepass", "passeport", "pasaporte", "passaporto", "paspoort"),
        near=0.8,
    ),
)
