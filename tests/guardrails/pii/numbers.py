"""Numbers with right check digits, made as their publishers say, apart from the code under test."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DNI = "TRWAGMYFPDXBNJZSQVHLCKE"


def digits(count: int, first: str = "0123456789") -> st.SearchStrategy[str]:
    """So many digits, the first out of ``first``."""
    rest = st.text("0123456789", min_size=count - 1, max_size=count - 1)
    return st.tuples(st.sampled_from(first), rest).map("".join)


def ending(body: str, is_right: Callable[[str], bool], ends: Sequence[str]) -> str | None:
    """``body`` with the end that makes it right, or None where none does."""
    return next((body + end for end in ends if is_right(body + end)), None)


def with_check(
    bodies: st.SearchStrategy[str],
    is_right: Callable[[str], bool],
    ends: Sequence[str] = "0123456789",
) -> st.SearchStrategy[str]:
    """Numbers that are right, from those without their end."""
    return bodies.map(lambda body: ending(body, is_right, ends)).filter(bool).map(str)


def luhn(number: str) -> bool:
    """Every other digit doubled, from the second last on, its own digits added up."""
    doubled = [int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(number))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def weighted(number: str, weights: Sequence[int]) -> int:
    """Digits times weights."""
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True))


def mod_11_10(number: str) -> bool:
    """ISO 7064's hybrid system."""
    product = 10
    for digit in number[:-1]:
        total = (int(digit) + product) % 10
        product = (total or 10) * 2 % 11
    return (11 - product) % 10 == int(number[-1])


D5 = [
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
]  # fmt: skip
D5_PERMUTED = [
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
]  # fmt: skip


def verhoeff(number: str) -> bool:
    """By the tables as they are printed."""
    check = 0
    for at, digit in enumerate(reversed(number)):
        check = int(D5[check][int(D5_PERMUTED[at % 8][int(digit)])])
    return check == 0


def mod_97(code: str) -> int:
    """Letters as two digits."""
    return int("".join(str(int(sign, 36)) for sign in code)) % 97


def iban(country: str, account: str) -> str:
    """An IBAN with its check digits."""
    return f"{country}{98 - mod_97(account + country + '00'):02}{account}"


def cpf(body: str) -> str:
    """Nine digits and their two checks."""
    for count in (9, 10):
        rest = weighted(body, range(count + 1, 1, -1)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return body


def nir(body: str) -> str:
    """Thirteen signs and their key."""
    number = body.replace("2A", "19").replace("2B", "18")
    return f"{body}{97 - int(number) % 97:02}"


FISCAL_ODD = {
    **dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)),
    **dict(zip("ABCDEFGHIJ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)),
    **dict(zip("KLMNOPQR", (2, 4, 18, 20, 11, 3, 6, 8), strict=True)),
    **dict(zip("STUVWXYZ", (12, 14, 16, 10, 22, 25, 24, 23), strict=True)),
}


def codice_fiscale(body: str) -> str:
    """Fifteen signs and their check letter."""
    even = [int(sign) if sign.isdigit() else LETTERS.index(sign) for sign in body[1::2]]
    return body + LETTERS[(sum(FISCAL_ODD[sign] for sign in body[::2]) + sum(even)) % 26]


VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))


def vin(body: str) -> str:
    """Sixteen signs with their check between the eighth and the ninth."""
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 9, 8, 7, 6, 5, 4, 3, 2)
    values = "".join(VIN_VALUES.get(sign, sign) for sign in body)
    check = weighted(values, weights) % 11
    return body[:8] + ("X" if check == 10 else str(check)) + body[8:]
