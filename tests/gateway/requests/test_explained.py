"""One recorded request through the admin API: explained, and to whom."""

from __future__ import annotations

from dataclasses import replace

from ai_gateway import jobs
from ai_gateway.control import requests
from tests.gateway.requests.conftest import (
    PATH,
    TICK,
    administrators,
    answered,
    ask,
    bounded,
    ids,
    issue,
    read,
)


def judge(gateway) -> None:
    """The judge scores what there is."""
    gateway.service.records.flush()
    assert jobs.tick(gateway.service, gateway.snapshot, TICK)[0] == jobs.DONE
    gateway.service.records.flush()


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
    event = administrators(gateway, asked)
    context = gateway.snapshot.context
    assert requests.explained(event, context)["derived"]["by"] == "rule"
    later = replace(context, manifest_hash="another")
    assert requests.explained(event, later)["derived"]["by"] == "draw"


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
