"""Recorded requests through the admin API: listed, followed, explained, and to whom."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from ai_gateway import jobs
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller, Event
from ai_gateway.control import requests
from ai_gateway.errors import NotFound, StoreAway
from ai_gateway.manifest.model import Job
from ai_gateway.records import StoreUnavailable
from tests.records.conftest import FakeClock

PATH = "/api/v1/requests"
ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    routing: {models: [model-a, model-b], explore: 1}
  - {path: /second, function: "functions.inference:handle", auth: api-key, name: second}
  - {path: /secret, function: "functions.inference:handle", auth: api-key, privacy: hashed}
  - {path: /feedback, function: "functions.feedback:handle", auth: api-key}
  - {path: /api/v1/keys, function: "functions.admin.key_issue:handle", auth: api-key}
  - path: /api/v1/requests
    methods: [GET]
    function: functions.admin.requests:handle
    auth: api-key
  - path: /api/v1/requests/{id}
    methods: [GET]
    function: functions.admin.request:handle
    auth: api-key
jobs:
  - {name: judge-tick, function: "functions.judge_tick:handle", every: 1m}
"""
WORDS = """
version: 1
name: words
checks:
  - {name: w, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
"""
TICK = Job(name="judge-tick", function="functions.judge_tick:handle", every="1m")


@pytest.fixture
def gateway(start):
    """Two routes with two models, and a policy."""
    return start(ROUTES, policies={"words": WORDS})


def issue(gateway, **asked: Any) -> dict[str, str]:
    """A new key's header; it may read records unless ``asked`` says else."""
    said = {"name": "n", "scopes": ["records"], **asked}
    reply = gateway.client.post("/api/v1/keys", json=said, headers=gateway.headers)
    assert reply.status_code == 201, reply.text
    return {"X-API-Key": reply.json["key"]}


def ask(gateway, headers=None, path="/inference", **more: Any) -> str:
    """The id of a question."""
    body = {"inputs": "What is a monad?", **more}
    reply = gateway.client.post(path, json=body, headers=headers or gateway.headers)
    return str(reply.headers["x-request-id"])


def read(gateway, headers=None, path=PATH, **query: Any):
    """The reply to a reader."""
    return gateway.client.get(path, query_string=query, headers=headers or gateway.headers)


def judge(gateway) -> None:
    """The judge scores what there is."""
    gateway.service.records.flush()
    assert jobs.tick(gateway.service, gateway.snapshot, TICK)[0] == jobs.DONE
    gateway.service.records.flush()


def ids(reply) -> list[str]:
    """What a list has, in its order."""
    assert reply.status_code == 200, reply.text
    return [row["request_id"] for row in reply.json["data"]]


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


def test_one_request_is_explained(gateway) -> None:
    """What was asked, who could answer, who did, what the judge and people said, and why."""
    asked = ask(gateway)
    judge(gateway)
    rated = {"request_id": asked, "thumb": "up", "rater": "ann"}
    gateway.client.post("/feedback", json=rated, headers=gateway.headers)
    gateway.service.records.flush()
    reply = read(gateway, path=f"{PATH}/{asked}")
    assert reply.headers["cache-control"] == "no-store"
    row = reply.json["request"]
    assert (row["input"], row["status"], row["selection"]) == ("What is a monad?", 200, "policy")
    assert [each["model"] for each in row["candidates"]] == ["model-a", "model-b"]
    assert row["attempts"][0]["endpoint"].startswith("127.0.0.1")
    assert row["request"]["messages"][0]["content"] == "What is a monad?"
    assert row["received_at"].endswith("+00:00")
    (score,), (said,) = reply.json["scores"], reply.json["feedback"]
    assert (score["outcome"], said["thumb"], said["rater"]) == ("scored", "up", "ann")
    assert reply.json["derived"] == {
        "same": True,
        "by": "rule",
        "chosen": row["chosen"],
        "propensity": 0.5,
        "said": "derived again: same",
    }


def test_a_request_is_explained_as_soon_as_it_was_answered(gateway) -> None:
    """Without a wait for its row to be moved; a refused one too, with the rule that refused it."""
    blocked = ask(gateway, inputs="say xyzzy")
    found = read(gateway, path=f"{PATH}/{blocked}").json
    (verdict,) = found["request"]["verdicts"]
    assert (verdict["policy"], verdict["check"], verdict["action"]) == ("words", "w", "block")
    assert "derived" not in found


def test_another_bundle_leaves_the_draw(gateway) -> None:
    """Where the manifest is not the record's any more, only the draw is derived again."""
    asked = ask(gateway)
    event = Event(
        request_id="r",
        route=gateway.snapshot.bundle.manifest.routes[0],
        method="GET",
        path=PATH,
        received_at=0.0,
        path_parameters={"id": asked},
        caller=Caller(id="a", scheme="api-key", admin=True),
    )
    context = gateway.snapshot.context
    assert requests.explained(event, context)["derived"]["by"] == "rule"
    later = replace(context, manifest_hash="another")
    assert requests.explained(event, later)["derived"]["by"] == "draw"


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


def answered(reply) -> list[str]:
    """What a list has beside refused readings, which are requests as well; sorted."""
    assert reply.status_code == 200, reply.text
    rows = [row for row in reply.json["data"] if not row["path"].startswith(PATH)]
    return sorted(row["request_id"] for row in rows)


def bounded(gateway) -> tuple[dict[str, str], list[str]]:
    """Requests of two tenants, and those of them that are acme's, oldest first."""
    mine, theirs = issue(gateway, tenant="acme"), issue(gateway, tenant="rival")
    found = []
    for path, model in (("/inference", "model-a"), ("/second", "model-b")):
        found.append(ask(gateway, mine, path, model_name=model))
        ask(gateway, theirs, path, model_name=model)
        ask(gateway, path=path)
    found.append(ask(gateway, mine, inputs="say xyzzy"))
    return mine, found


def test_a_key_sees_its_own_tenant_alone(gateway) -> None:
    """In lists, behind cursors and by ids; whatever scopes it has, and whatever it asks for."""
    mine, own = bounded(gateway)
    everything = ids(read(gateway))
    assert len(everything) == 7
    for reader in (mine, issue(gateway, tenant="acme", scopes=["admin"])):
        assert answered(read(gateway, reader)) == sorted(own)
        for each in everything:
            status = read(gateway, reader, f"{PATH}/{each}").status_code
            assert status == (200 if each in own else 404)
    stranger = issue(gateway, tenant="nobody")
    assert ids(read(gateway, stranger)) == []
    for cursor in ("AQAAAAAAAAAAAA", read(gateway).json["cursor"]):
        assert set(answered(read(gateway, mine, cursor=cursor))) <= set(own)
        assert ids(read(gateway, stranger, cursor=cursor)) == []
    assert answered(read(gateway, mine, cursor="AQAAAAAAAAAAAA")) == sorted(own)
    assert read(gateway, mine, tenant="rival").status_code == 400


def test_what_is_not_there_and_what_is_anothers_are_the_same(gateway) -> None:
    """In status and in words, so that an id cannot be tried."""
    asked = ask(gateway)
    reader = issue(gateway, tenant="acme")
    gateway.service.records.flush()
    replies = [
        read(gateway, reader, f"{PATH}/{each}")
        for each in (asked, asked[:-1] + "x", "0" * 32, "f" * 32, "%25", "a", asked.upper())
    ]
    assert {reply.status_code for reply in replies} == {404}
    assert len({reply.json["error"]["message"] for reply in replies}) == 1


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


def test_the_gateways_own_calls_are_the_administrators(gateway) -> None:
    """The judge's call has a tenant and the text of an answer, and no key sees it."""
    mine = issue(gateway, tenant="acme")
    asked = ask(gateway, mine)
    judge(gateway)
    (judged,) = [row for row in gateway.rows() if row["surface"] == "judge"]
    assert judged["tenant"] == "acme"
    assert judged["request_id"] in ids(read(gateway))
    assert ids(read(gateway, mine)) == [asked]
    assert read(gateway, mine, f"{PATH}/{judged['request_id']}").status_code == 404
    assert read(gateway, path=f"{PATH}/{judged['request_id']}").status_code == 200


def test_feedback_of_another_tenant_is_not_of_the_request(gateway) -> None:
    """Anybody may send an id; what he says of it is his own tenant's."""
    mine = issue(gateway, tenant="acme")
    asked = ask(gateway, mine)
    for who in (issue(gateway, tenant="rival"), mine):
        rated = {"request_id": asked, "correction": who["X-API-Key"][:12]}
        gateway.client.post("/feedback", json=rated, headers=who)
    gateway.service.records.flush()
    (said,) = read(gateway, path=f"{PATH}/{asked}").json["feedback"]
    assert said["correction"] == mine["X-API-Key"][:12]


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
    event = Event(
        request_id="r",
        route=gateway.snapshot.bundle.manifest.routes[0],
        method="GET",
        path=PATH,
        received_at=0.0,
        path_parameters={"id": "019" + "0" * 29},
        caller=Caller(id="a", scheme="api-key", admin=True),
    )
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
