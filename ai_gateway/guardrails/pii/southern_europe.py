"""National numbers of France, Spain and Italy."""

from __future__ import annotations

from ai_gateway.guardrails.pii.shapes import Shaped

_DNI_LETTERS = b"TRWAGMYFPDXBNJZSQVHLCKE"
_NIE_FIRST = bytes.maketrans(b"XYZ", b"012")
#: Departments that have letters, as they are reckoned with.
_CORSICA = {b"2A": b"19", b"2B": b"18"}
_NIR_MONTHS = {*range(1, 13), *range(20, 43), *range(50, 100)}

#: Where a codice fiscale has digits, and the letters that stand for them where two people have
#: the same code, from the right on.
_OMOCODIA_PLACES = (14, 13, 12, 10, 9, 7)
_FISCAL_MONTHS = b"ABCDEHLMPRST"
_OMOCODIA = bytes.maketrans(b"LMNPQRSTUV", b"0123456789")
_ODD_VALUES = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_ODD = dict(
    zip(
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (*_ODD_VALUES, *_ODD_VALUES, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)
_EVEN = {sign: int(chr(sign), 36) for sign in b"0123456789"} | {
    sign: sign - ord("A") for sign in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}


def is_nir(code: bytes) -> bool:
    """Sex, a month (or 20-42, 50-99 where it is unknown), and 97 minus the rest (INSEE)."""
    number = code[:5] + _CORSICA.get(code[5:7], code[5:7]) + code[7:13]
    if not number.isdigit():
        return False
    return (
        code[:1] in b"123478"
        and int(code[3:5]) in _NIR_MONTHS
        and 97 - int(number) % 97 == int(code[13:])
    )


def is_dni(code: bytes) -> bool:
    """Eight digits modulo 23 (Ministerio del Interior)."""
    return _DNI_LETTERS[int(code[:8]) % 23] == code[8]


def is_nie(code: bytes) -> bool:
    """X, Y or Z for 0, 1 or 2, then as a DNI."""
    return code[:1] in b"XYZ" and is_dni(code[:1].translate(_NIE_FIRST) + code[1:])


def is_codice_fiscale(code: bytes) -> bool:
    """A month's letter, a day (a woman's + 40), and the check letter (decree of 23-12-1976)."""
    day = code[9:11].translate(_OMOCODIA)
    total = sum(_ODD[sign] for sign in code[:15:2]) + sum(_EVEN[sign] for sign in code[1:15:2])
    return code[8] in _FISCAL_MONTHS and _is_fiscal_day(day) and total % 26 == code[15] - ord("A")


def _is_fiscal_day(day: bytes) -> bool:
    return day.isdigit() and int(day) % 40 in range(1, 32)


def _fiscal_shapes() -> dict[str, float]:
    shape = list("AAAAAA##A##A###A")
    shapes = {"".join(shape): 1.0, "AAA AAA ##A## A###A": 1.0}
    for place in _OMOCODIA_PLACES:
        shape[place] = "A"
        shapes["".join(shape)] = 1.0
    return shapes


SHAPED = (
    Shaped(
        "fr_nir",
        {
            "###############": 0.9,
            "######A########": 0.9,
            "# ## ## ## ### ### ##": 1.0,
            "# ## ## #A ### ### ##": 1.0,
        },
        is_nir,
        ("nir", "securite sociale", "insee", "numero de securite sociale", "carte vitale"),
    ),
    Shaped(
        "es_dni_nie",
        {"########A": 0.9, "########-A": 0.9, "######## A": 0.6, "##.###.###-A": 1.0},
        is_dni,
        ("dni", "nif", "documento nacional", "documento"),
    ),
    Shaped(
        "es_dni_nie",
        {"A#######A": 0.9, "A-#######-A": 1.0, "A#######-A": 1.0},
        is_nie,
        ("nie", "extranjero"),
    ),
    Shaped(
        "it_codice_fiscale",
        _fiscal_shapes(),
        is_codice_fiscale,
        ("codice fiscale", "cf"),
    ),
)
