"""Request bodies have one reading only."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway import strictjson
from ai_gateway.errors import InvalidJSON, TooDeep

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=30,
)


@given(JSON)
def test_what_json_holds_is_read_and_written_unchanged(value: object) -> None:
    """Any JSON value comes out of a round trip as it went in."""
    assert value == strictjson.loads(strictjson.dumps(value))


def test_integers_of_any_size_are_written() -> None:
    """What a model gave to a tool leaves as it is, beside text that is no ASCII."""
    value = {"é": [2**200, -(2**64), "\U0001f600"]}
    assert strictjson.dumps(value).decode() == f'{{"é":[{2**200},-{2**64},"\U0001f600"]}}'


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Whatever arrives is read, or refused as a bad request."""
    try:
        strictjson.loads(data)
    except InvalidJSON:
        pass
    except TooDeep:
        pass


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"inputs=hello", "not JSON"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'[{"b": {"c": 1, "c": 1}}]', "'c' stands twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "larger than a double"),
        (b'{"a": 99999999999999999999}', "cannot be passed on"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be passed on"),
        (b'{"a": "\\ud800"}', "cannot be passed on"),
        (b'{"a": "\xff"}', "not UTF-8"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(body: bytes, said: str) -> None:
    """A body with two readings is refused with what was found in it."""
    with pytest.raises(InvalidJSON, match=said):
        strictjson.loads(body)


@pytest.mark.parametrize("depth", [65, 5_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_bottomless_nesting_is_refused(opening: bytes, closing: bytes, depth: int) -> None:
    """A body that nests deeper than the bound is refused as such, however deep it goes."""
    with pytest.raises(TooDeep, match="64 levels"):
        strictjson.loads(opening * depth + b"1" + closing * depth)


def test_nesting_up_to_the_bound_is_read() -> None:
    """64 levels are read, and so are more brackets than that side by side."""
    assert json.loads("[" * 64 + "]" * 64) == strictjson.loads(b"[" * 64 + b"]" * 64)
    assert strictjson.loads(json.dumps([[]] * 100).encode()) == [[]] * 100


def test_a_key_that_stands_twice_is_found_in_linear_time() -> None:
    """A body of many keys costs what its length says, and a long key is not read back whole."""
    keys = b",".join(b'"%d":0' % number for number in range(200_000))
    started = time.process_time()
    with pytest.raises(InvalidJSON, match="'199999' stands twice"):
        strictjson.loads(b"{" + keys + b',"199999":0}')
    assert time.process_time() - started < 5
    long = b'"' + b"y" * 10_000 + b'":0'
    with pytest.raises(InvalidJSON) as found:
        strictjson.loads(b"{" + long + b"," + long + b"}")
    assert len(found.value.message) < 200
