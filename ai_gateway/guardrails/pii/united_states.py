"""Numbers that the United States give to people."""

from __future__ import annotations

from ai_gateway.guardrails.pii.checksums import weighted
from ai_gateway.guardrails.pii.shapes import Shaped

_SHAPES = {"###-##-####": 0.9, "### ## ####": 0.6, "###.##.####": 0.6, "#########": 0}
_ITIN_GROUPS = {*range(50, 66), *range(70, 100)} - {89, 93}
_ROUTING_PREFIXES = {*range(13), *range(21, 33), *range(61, 73), 80}
_ROUTING_WEIGHTS = (3, 7, 1) * 3


def is_ssn(digits: bytes) -> bool:
    """Area 001-899 without 666, group and serial not zero (Social Security Administration)."""
    area = digits[:3]
    return (
        b"000" < area < b"900" and area != b"666" and digits[3:5] != b"00" and digits[5:] != b"0000"
    )


def is_itin(digits: bytes) -> bool:
    """9xx with a group of 50-65, 70-88, 90-92 or 94-99 (Internal Revenue Service, 3.21.263)."""
    return digits[:1] == b"9" and int(digits[3:5]) in _ITIN_GROUPS


def is_routing_number(digits: bytes) -> bool:
    """A Federal Reserve prefix, and the check digit of the American Bankers Association."""
    known = int(digits[:2]) in _ROUTING_PREFIXES
    return known and weighted(digits, _ROUTING_WEIGHTS) % 10 == 0 and digits != b"0" * 9


_LICENSE_SHAPES = (
    # 26 states: one letter and 7 to 14 digits, 13 more: 7 to 10 or 12 digits (AAMVA).
    *("A" + "#" * count for count in range(6, 15)),
    *("#" * count for count in (7, 8, 9, 10, 12)),
    *("AA" + "#" * count for count in (5, 6, 7)),
    "A###-####-####",
    "A###-###-##-###-#",
    "A###-####-####-##",
    "A####-#####-#####",
    "A-###-###-###-###",
    "### ### ###",
    "###-###-###",
    "##-###-####",
)

SHAPED = (
    Shaped(
        "us_ssn",
        _SHAPES,
        is_ssn,
        ("ssn", "social security", "social", "sosec", "soc sec"),
    ),
    Shaped("us_itin", _SHAPES, is_itin, ("itin", "taxpayer", "tax id", "tin", "taxpayer id")),
    Shaped(
        "us_bank_routing",
        {"#########": 0, "####-####-#": 0, "#### #### #": 0},
        is_routing_number,
        ("routing", "aba", "rtn", "routing transit", "aba routing"),
    ),
    Shaped(
        "us_driver_license",
        dict.fromkeys(_LICENSE_SHAPES, 0),
        lambda _number: True,
        (
            "driver license",
            "driver s license",
            "drivers licence",
            "driver s licence",
            "driving license",
            "driving licence",
            "dl",
            "license number",
        ),
        near=0.8,
    ),
)
