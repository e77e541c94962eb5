"""Numbers that states and banks give to people: right ones are found, mistyped ones are not."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.pii.catalogue import _SHAPED
from tests.guardrails.pii import numbers
from tests.guardrails.pii.finder import found
from tests.guardrails.pii.numbers import digits, luhn, weighted, with_check

DAYS = st.dates(dt.date(1930, 1, 1), dt.date(1999, 12, 31))
NAME = st.text(numbers.LETTERS, min_size=6, max_size=6)
SERIAL = st.text(numbers.LETTERS, min_size=1, max_size=1)
FISCAL_DAY = st.integers(1, 28).flatmap(lambda day: st.sampled_from((day, day + 40)))


def with_two_alike(order: list[str]) -> str:
    """Ten digits, one of which stands there twice."""
    return "".join(order[:9]) + order[4]


#: A type → a word beside its numbers, and the numbers.
MADE = {
    "uk_nhs": (
        "NHS number",
        with_check(digits(9, "123456789"), lambda n: weighted(n, range(10, 0, -1)) % 11 == 0),
    ),
    "de_steuer_id": (
        "Steuer-ID",
        with_check(
            st.permutations("0123456789").map(with_two_alike).filter(lambda n: n[0] != "0"),
            numbers.mod_11_10,
        ),
    ),
    "fr_nir": (
        "NIR",
        st.tuples(
            st.sampled_from("12"),
            digits(2),
            st.integers(1, 12).map("{:02}".format),
            st.sampled_from(("75", "13", "2A", "2B")),
            digits(6),
        )
        .map("".join)
        .map(numbers.nir),
    ),
    "es_dni_nie": ("DNI", digits(8).map(lambda n: n + numbers.DNI[int(n) % 23])),
    "it_codice_fiscale": (
        "codice fiscale",
        st.tuples(
            NAME,
            digits(2),
            st.sampled_from("ABCDEHLMPRST"),
            FISCAL_DAY.map("{:02}".format),
            SERIAL,
            digits(3),
        )
        .map("".join)
        .map(numbers.codice_fiscale),
    ),
    "nl_bsn": (
        "BSN",
        with_check(
            digits(8, "123456789"), lambda n: weighted(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0
        ),
    ),
    "pl_pesel": (
        "PESEL",
        with_check(
            st.tuples(DAYS.map("{:%y%m%d}".format), digits(4)).map("".join),
            lambda n: weighted(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0,
        ),
    ),
    "in_aadhaar": (
        "Aadhaar",
        with_check(digits(11, "23456789"), numbers.verhoeff).filter(lambda n: n != n[::-1]),
    ),
    "br_cpf": (
        "CPF",
        digits(9).map(numbers.cpf).filter(lambda n: "0" not in n[9:] and len(set(n)) > 1),
    ),
    "ca_sin": ("SIN", with_check(digits(8, "12345679"), luhn)),
    "au_tfn": (
        "TFN",
        with_check(
            digits(8, "123456789"), lambda n: weighted(n, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0
        ),
    ),
    "us_bank_routing": (
        "routing",
        with_check(
            digits(6).map("11".__add__), lambda n: weighted(n, (3, 7, 1) * 3) % 10 == 0
        ),
    ),
    "card": ("number", with_check(digits(15, "4"), luhn)),
    "vin": (
        "VIN",
        st.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", min_size=11, max_size=11)
        .filter(lambda body: not body.isdigit())
        .flatmap(lambda body: digits(5).map(body.__add__))
        .map(numbers.vin),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
@given(data=st.data())
def test_a_right_number_is_found_and_a_mistyped_one_is_not(kind: str, data: st.DataObject) -> None:
    """These checks catch every single digit that is wrong (of a CPF, unless a check is 0)."""
    word, made = MADE[kind]
    number = data.draw(made)
    assert found(f"My {word}: {number}.", kind) == [(kind, number)]
    places = [at for at, sign in enumerate(number) if sign.isdigit()]
    at = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != number[at]))
    assert found(f"My {word}: {number[:at]}{other}{number[at + 1 :]}.", kind) == []


@given(born=DAYS, rest=digits(3))
def test_a_personnummer_is_found_and_a_mistyped_one_is_not(born: dt.date, rest: str) -> None:
    """With its dash, or in one piece near its word; the day may have 60 more."""
    for day in (born.day, born.day + 60):
        body = f"{born:%y%m}{day:02}{rest}"
        check = next(digit for digit in "0123456789" if luhn(body + digit))
        wrong = str((int(check) + 1) % 10)
        for written in (f"{body[:6]}-{rest}", f"19{body[:6]}-{rest}"):
            assert found(f"id {written}{check}", "se_personnummer")
            assert found(f"id {written}{wrong}", "se_personnummer") == []
        assert found(f"personnummer {body}{check}", "se_personnummer")
        assert found(f"number {body}{check}", "se_personnummer") == []


@pytest.mark.parametrize(
    "number",
    ["123-45-6789", "899-99-9999", "001-01-0001", "123 45 6789", "123.45.6789"],
)
def test_an_ssn_is_found_by_its_groups(number: str) -> None:
    """Area, group and serial stand apart, and none of them is one that is not given out."""
    assert found(f"it is {number}.", "us_ssn") == [("us_ssn", number)]


@pytest.mark.parametrize(
    "text",
    [
        "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000",
        "123456789", "1-123-45-6789", "123-45-6789-1", "123-456-789", "ssn 666123456",
    ],
)  # fmt: skip
def test_what_is_no_ssn_is_not_found(text: str) -> None:
    """Nor nine digits in one piece, without a word that says what they are."""
    assert found(text, "us_ssn") == []


def test_weak_numbers_are_found_near_their_words_only() -> None:
    """Nine digits may be many things; the word before or behind tells which."""
    assert found("ssn 123456789", "us_ssn", "passport") == [("us_ssn", "123456789")]
    assert found("123456789 is my passport", "us_ssn", "passport") == [("passport", "123456789")]
    assert found("order 123456789", "us_ssn", "passport", "us_driver_license") == []
    text = "driver's license F162-8235-4011, state of Illinois"
    assert found(text, "us_driver_license") == [("us_driver_license", "F162-8235-4011")]
    far = "passport" + " and so on" * 10 + " 123456789"
    assert found(far, "passport") == []


def test_words_within_identifiers_count() -> None:
    """Requests are full of JSON."""
    assert found('{"passportNumber": "C01234567"}', "passport") == [("passport", "C01234567")]
    assert found('{"tax_file_number": "123 456 782"}', "au_tfn") == [("au_tfn", "123 456 782")]


@pytest.mark.parametrize(
    ("kind", "text", "is_one"),
    [
        ("us_itin", "912-70-1234", True),
        ("us_itin", "912-89-1234", False),
        ("us_itin", "812-70-1234", False),
        ("uk_nino", "AB 12 34 56 C", True),
        ("uk_nino", "ab123456c", True),
        ("uk_nino", "BG123456C", False),
        ("uk_nino", "AO123456C", False),
        ("uk_nino", "AB123456E", False),
        ("fr_nir", "2 95 10 99 126 111 93", True),
        ("fr_nir", "253072B07300470", True),
        ("fr_nir", "253072B07300471", False),
        ("es_dni_nie", "X-5253868-R", True),
        ("es_dni_nie", "X5253868T", False),
        ("es_dni_nie", "54.362.315-K", True),
        ("it_codice_fiscale", "RCCMNL83S18D969H", True),
        ("it_codice_fiscale", "RCCMNL83S18D96VH", False),
        ("br_cpf", "390.533.447-05", True),
        ("br_cpf", "111.111.111-11", False),
        ("in_aadhaar", "2341 2341 2346", True),
        ("in_aadhaar", "2341 2341 2347", False),
        ("uk_nhs", "nhs 943 476 5919", True),
        ("uk_nhs", "943 476 5919", False),
    ],
)
def test_known_numbers(kind: str, text: str, is_one: bool) -> None:  # noqa: FBT001 - a column of the table
    """Published examples, and what their rules forbid."""
    assert bool(found(text, kind)) is is_one


def as_written(shape: str) -> st.SearchStrategy[bytes]:
    """Any number of a shape, without its separators."""
    signs = {"#": st.sampled_from("0123456789"), "A": st.sampled_from(numbers.LETTERS)}
    return st.tuples(*(signs[sign] for sign in shape if sign in signs)).map(
        lambda drawn: "".join(drawn).encode()
    )


@given(data=st.data())
def test_no_number_makes_a_rule_fail(data: st.DataObject) -> None:
    """A check that raises refuses the request, so that no number may make one raise."""
    shaped = data.draw(st.sampled_from(_SHAPED))
    shape = data.draw(st.sampled_from(sorted(shaped.shapes)))
    assert shaped.valid(data.draw(as_written(shape))) in {True, False}
