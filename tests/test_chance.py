"""Chance: drawn from the system's source in blocks, without a draw that is given out twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.chance import SystemChance

CHANCE = SystemChance()


@given(st.integers(1, 200))
def test_as_many_bits_as_asked_for(bits) -> None:
    """Whatever their number, a word's or more."""
    assert 0 <= CHANCE.getrandbits(bits) < 2**bits


def test_no_bits_are_nothing_and_fewer_an_error() -> None:
    """As in the standard library."""
    assert CHANCE.getrandbits(0) == 0
    with pytest.raises(ValueError, match="non-negative"):
        CHANCE.getrandbits(-1)


def test_fractions_are_spread() -> None:
    """Over all of [0, 1)."""
    drawn = [CHANCE.random() for _ in range(2000)]
    assert 0 <= min(drawn) < 0.02
    assert 0.98 < max(drawn) < 1
    assert abs(sum(drawn) / 2000 - 0.5) < 0.05
    assert {CHANCE.randrange(3) for _ in range(100)} == {0, 1, 2}


def test_threads_share_no_draw() -> None:
    """Ids that two threads draw at once differ."""
    chance = SystemChance()
    with ThreadPoolExecutor(8) as threads:
        drawn = [*threads.map(lambda _: chance.getrandbits(64), range(20_000))]
    assert len(set(drawn)) == 20_000
