"""Recorded requests through the admin API: listed and followed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller
from ai_gateway.control import requests
from ai_gateway.errors import NotFound, StoreAway
from ai_gateway.records import StoreUnavailable
from tests.gateway.requests.conftest import (
    PATH,
    administrators,
    answered,
    ask,
    bounded,
    ids,
    issue,
    read,
)
from tests.records.conftest import FakeClock


def test_requests_are_listed_newest_first_and_followed(gateway) -> None:
    """What came before is on the first page, what comes behind it on the next, each once."""
    first = [ask(gateway) for _ in range(3)]
    page = read(gateway, limit=2)
    assert ids(page) == [first[2], first[1]]
    assert page.json["has_more"] is True
    assert read(gateway).json["has_more"] is False
    assert ids(read(gateway, cursor=page.json["cursor"])) == []
    later = [ask(gateway) for _ in range(3)]
    gateway.service.records.flush()
    found: list[str] = []
    cursor, more = page.json["cursor"], True
    while more:
        reply = read(gateway, cursor=cursor, limit=2)
        found += ids(reply)
        cursor, more = reply.json["cursor"], reply.json["has_more"]
    assert found == later
    assert ids(read(gateway, cursor=cursor)) == []


def test_a_list_can_be_narrowed(gateway) -> None:
    """By route, model, status, outcome and time, alone and together."""
    pinned = ask(gateway, model_name="model-a")
    other = ask(gateway, path="/second", model_name="model-b")
    blocked = ask(gateway, inputs="say xyzzy")
    page = read(gateway)
    assert ids(page) == [blocked, other, pinned]
    for query, expected in (
        ({"route": "second"}, [other]),
        ({"model": "model-a"}, [pinned]),
        ({"status": 403}, [blocked]),
        ({"outcome": "served"}, [other, pinned]),
        ({"outcome": "refused"}, [blocked]),
        ({"outcome": "failed"}, []),
        ({"outcome": "served", "route": "second", "model": "model-a"}, []),
        ({"since": 0, "until": 86400}, []),
        ({"since": SystemClock().now() + 5}, []),
        ({"until": SystemClock().now() + 5}, [blocked, other, pinned]),
    ):
        assert ids(read(gateway, **query)) == expected, query
    (row,) = read(gateway, status=403).json["data"]
    assert (row["error"], row["route"]) == ("policy_violation", "inference")
    assert not {"input", "output", "request", "verdicts"} & {
        name for row in page.json["data"] for name in row
    }


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"since": "nan"},
        {"since": -1},
        {"since": 0},
        {"since": 1, "until": 40 * 86400},
        {"outcome": "good"},
        {"status": 99},
        {"like": "%"},
        {"route": "x" * 201},
        {"route": ["a", "b"]},
        {"cursor": "nonsense"},
        {"cursor": "x" * 50_000},
        {str(number): 1 for number in range(30)},
    ],
)
def test_what_is_no_question_is_refused(gateway, query) -> None:
    """As a 400, whatever it is; nothing looks through more than 31 days."""
    assert read(gateway, **query).status_code == 400


def test_content_is_as_it_was_recorded(gateway) -> None:
    """A route that keeps digests shows digests, to the administrator too."""
    asked = ask(gateway, path="/secret")
    row = read(gateway, path=f"{PATH}/{asked}").json["request"]
    assert row["privacy"] == "hashed"
    assert all(row[name].startswith("sha256:") for name in ("input", "output", "request"))


def test_readers_are_given_the_scope(gateway) -> None:
    """Without a key, without the scope: nothing; each refusal is in the audit log."""
    asked = ask(gateway)
    without = issue(gateway, scopes=["audit", "keys"])
    for path in (PATH, f"{PATH}/{asked}"):
        assert gateway.client.get(path).status_code == 401
        assert read(gateway, without, path).status_code == 403
    read(gateway)
    read(gateway, path=f"{PATH}/{asked}")
    told = [(row["action"], row["outcome"]) for row in gateway.rows("audit")]
    assert [each for each in told if each[0].startswith("requests")] == [
        ("requests.list", "forbidden"),
        ("requests.explain", "forbidden"),
        ("requests.list", "done"),
        ("requests.explain", "done"),
    ]


def test_following_notes_what_it_gave(gateway) -> None:
    """A page without a row is no reading; one with some is, with how many."""
    cursor = read(gateway).json["cursor"]
    for _ in range(3):
        read(gateway, cursor=cursor)
    ask(gateway)
    gateway.service.records.flush()
    read(gateway, cursor=cursor)
    rows = [row["after"] for row in gateway.rows("audit") if row["action"] == "requests.list"]
    assert [f'"rows":{count}' in row for row, count in zip(rows, (0, 1), strict=True)] == [True] * 2


def test_a_key_sees_no_more_than_it_may_ask(gateway) -> None:
    """Its team's, on its routes, of its models; others are left out of what it is told."""
    _, own = bounded(gateway)
    routes = ["inference", "api-v1-requests", "api-v1-requests-id"]
    by_route = issue(gateway, tenant="acme", routes=routes)
    assert answered(read(gateway, by_route)) == sorted([own[0], own[2]])
    assert read(gateway, by_route, f"{PATH}/{own[1]}").status_code == 404
    by_model = issue(gateway, tenant="acme", models=["model-a"])
    assert answered(read(gateway, by_model)) == sorted([own[0], own[2]])
    assert read(gateway, by_model, f"{PATH}/{own[1]}").status_code == 404
    by_team = issue(gateway, tenant="acme", team="blue")
    assert ids(read(gateway, by_team)) == []
    asked = ask(gateway, by_team)
    assert ids(read(gateway, by_team)) == [asked]


def test_other_models_and_where_models_stand_are_left_out(gateway) -> None:
    """A key with models is told of no other; no key is told an endpoint's address."""
    reader = issue(gateway, tenant="acme", models=["model-a"])
    asked = ask(gateway, reader)
    whole = read(gateway, path=f"{PATH}/{asked}").json["request"]
    assert [each["model"] for each in whole["candidates"]] == ["model-a", "model-b"]
    reply = read(gateway, reader, f"{PATH}/{asked}")
    assert "model-b" not in reply.text
    assert "127.0.0.1" not in reply.text
    assert reply.json["request"]["attempts"][0]["model"] == "model-a"


def test_a_choice_that_differs_is_not_told_to_who_may_not_know_the_model() -> None:
    """It may name another's model."""
    candidate = {"score": 1.0, "score_low": 0.0, "score_high": 1.0, "excluded": None}
    row = {
        "selection": "policy",
        "seed": 0,
        "chosen": "mine",
        "propensity": 1.0,
        "candidates": [
            {**candidate, "model": "hidden", "probability": 0.5},
            {**candidate, "model": "mine", "probability": 0.5},
        ],
    }
    for models, admin, told in ((None, False, True), (None, True, True), ({"mine"}, False, False)):
        bound = None if models is None else frozenset(models)
        caller = Caller(id="c", scheme="api-key", admin=admin, models=bound)
        assert (requests.Sight(caller).derived(row, None) is not None) == told


class Away:
    """Records of a store that is away."""

    def flush(self) -> None:
        """Say so."""
        raise StoreUnavailable("gone")

    def page(self, *_: Any, **__: Any) -> None:
        """Say so."""
        raise StoreUnavailable("gone")

    newest = request = page


def test_a_store_that_is_away_is_told(gateway) -> None:
    """As a 503, and never as nothing."""
    context = replace(gateway.snapshot.context, records=Away(), clock=FakeClock(1.8e9))
    event = administrators(gateway, "019" + "0" * 29)
    for work in (requests.listed, requests.explained):
        with pytest.raises(StoreAway):
            work(event, context)
    early = replace(context, clock=FakeClock(0.0))
    with pytest.raises(NotFound):
        requests.explained(event, early)


def test_ids_sort_as_they_were_asked(gateway) -> None:
    """So that a page that is sorted by them reads as a log."""
    asked = [ask(gateway) for _ in range(4)]
    assert all(one < other for one, other in pairwise(asked))
