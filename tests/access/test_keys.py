"""What a key is, and what is kept of it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.access.keys import Key, digest, folded, iso, merged, new_text, of_row, row, shown
from ai_gateway.chance import SystemChance

TEXT = "agw_abcdefgh_" + "x" * 43
KEY = Key(
    id="1" * 32,
    prefix="agw_abcdefgh",
    digest=digest(TEXT),
    name="ci",
    owner="alice",
    team="research",
    tenant="acme",
    scopes=frozenset({"keys"}),
    routes=frozenset({"chat"}),
    models=None,
    created_at=1_000,
    created_by="admin",
    family="1" * 32,
)


def test_a_text_is_its_mark_its_prefix_and_256_random_bits() -> None:
    """Eight characters are shown; the secret is 43 of 62 kinds, and no two are alike."""
    found = [new_text(SystemChance()) for _ in range(200)]
    for prefix, text in found:
        assert re.fullmatch(r"agw_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", text)
        assert text.startswith(f"{prefix}_")
    assert len({text.rpartition("_")[2] for _, text in found}) == 200


def test_no_bit_of_the_secret_is_lost() -> None:
    """43 digits to the base of 62 hold all of 256 bits, the largest number too."""

    class Most(Random):
        def getrandbits(self, k: int, /) -> int:
            return (1 << k) - 1

    secret = new_text(Most())[1].rpartition("_")[2]
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert sum(digits.index(each) * 62**place for place, each in enumerate(secret)) == 2**256 - 1


def test_what_is_kept_tells_nothing_of_the_text() -> None:
    """Neither a row nor what is shown nor a repr holds the secret; a repr not even the hash."""
    secret = TEXT.rpartition("_")[2]
    stored = str(row(KEY, "issued", at=1, by="admin", event_id="e"))
    seen = str(shown(KEY, None, 1))
    for text in (stored, seen, repr(KEY)):
        assert secret not in text
    for text in (seen, repr(KEY)):
        assert KEY.digest.hex() not in text
        assert repr(KEY.digest) not in text


def test_a_row_is_the_key_again() -> None:
    """What was stored is read as it was, whether it names its routes and models or has them all."""
    for key in (KEY, replace(KEY, models=frozenset(), routes=None, expires_at=5, parent="2" * 32)):
        assert of_row(row(key, "issued", at=1, by="admin", event_id="e")) == key


@pytest.mark.parametrize("name", ["scopes", "routes", "models"])
def test_a_list_that_is_missing_is_empty(name) -> None:
    """A damaged row gives nothing away: null is never everything."""
    stored = row(replace(KEY, models=None), "issued", at=1, by="admin", event_id="e")
    assert getattr(of_row({**stored, name: None}), name) == frozenset()


def test_an_end_is_not_taken_back() -> None:
    """A process that had not heard of a revocation rotates the key: it stays revoked."""
    revoked = replace(KEY, revoked_at=20)
    rotated = replace(KEY, retire_at=30, replaced_by="3" * 32)
    for one, other in ((revoked, rotated), (rotated, revoked)):
        found = merged(merged(None, one), other)
        assert (found.revoked_at, found.retire_at, found.replaced_by) == (20, 30, "3" * 32)


maybe = st.none() | st.integers(1, 5)
told = st.builds(
    lambda revoked, retire, by: replace(KEY, revoked_at=revoked, retire_at=retire, replaced_by=by),
    maybe,
    maybe,
    st.none() | st.sampled_from(["3" * 32, "4" * 32]),
)


@given(st.lists(told, min_size=1, max_size=4))
def test_rows_may_come_in_any_order_and_more_than_once(keys) -> None:
    """Files are read as they are found; compaction writes rows a second time."""
    rows = [row(key, "revoked", at=1, by="admin", event_id="e") for key in keys]
    results = [folded({}, [*order, *rows]) for order in permutations(rows)]
    assert all(found == results[0] for found in results)


@pytest.mark.parametrize(
    ("changed", "revoked_at", "status"),
    [
        ({}, None, "active"),
        ({"expires_at": 100}, None, "active"),
        ({"expires_at": 50}, None, "expired"),
        ({"expires_at": 100, "retire_at": 50}, None, "retired"),
        ({"expires_at": 50}, 20, "revoked"),
    ],
)
def test_a_key_says_how_it_is(changed, revoked_at, status) -> None:
    """Active, expired, retired after a rotation, or revoked."""
    assert shown(replace(KEY, **changed), revoked_at, 50)["status"] == status


def test_times_are_told_in_full() -> None:
    """With their zone, and null where there is none."""
    assert (iso(1_500_000), iso(None)) == ("1970-01-01T00:00:01.500000+00:00", None)
