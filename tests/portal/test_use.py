"""People see what their own keys came to, and what is left of their limits and budgets."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ai_gateway.contract import Caller, Event
from ai_gateway.portal.own import OwnKeys
from ai_gateway.portal.states import MEMORY
from ai_gateway.portal.use import told
from tests.limits.conftest import redis  # noqa: F401 - a fixture
from tests.portal.conftest import browse
from tests.portal.test_own_keys import bob, chat

MATCH = {"assume": 500, "match": {"models": ["model-a"]}}
LIMITS = {
    "limits": [
        {"name": "each-key", "per": "key", "requests": "100/hour"},
        {"name": "by-model", "per": ["key", "model"], "tokens": "100000/hour", **MATCH},
        {"name": "others", "per": "tenant", "requests": "7/hour", "match": {"tenants": ["other"]}},
    ],
    "budgets": [{"name": "of-tenant", "per": "tenant", "amount": 5, "window": "month", **MATCH}],
}


def use(browser, query=""):
    """What the page is told."""
    browser.gateway.service.records.flush()
    reply = browser.client.get(f"/portal/use{query}")
    assert reply.status_code == 200, reply.text
    return reply.json


def limits(browser):
    """How the limits stand, once what was spent was counted."""
    end = time.monotonic() + 20
    while (found := use(browser)["limits"]) is None and time.monotonic() < end:
        time.sleep(0.2)
    return {(each["name"], each["of"]): each for each in found}


@pytest.fixture(params=["memory", "redis"])
def limited(request, begin, shown):
    """A portal with limits and a budget, counted in memory or in Redis."""
    for route in shown["routes"]:
        if route["path"] == "/portal/use":  # which a test asks until it knows
            del route["rateLimit"]
    shown["routes"][0] |= {"rateLimit": "50/hour", "routing": {"models": ["model-a"]}}
    state = MEMORY if request.param == "memory" else request.getfixturevalue("redis").url
    gateway = begin(shown | LIMITS, GATEWAY_STATE=state)
    gateway.service.limits._store.lag = 0.05  # no other process wrote what is to be counted
    gateway.service.limits.prepare()
    return gateway


def test_use_is_told_by_day_and_by_key(alice) -> None:
    """Requests, tokens and cost of what was asked with his keys, and of nothing else."""
    keys = [alice.make(name).json for name in ("laptop", "server")]
    for key in (keys[0], keys[0], keys[1]):
        assert chat(alice, key["key"], model="model-a").status_code == 200
    chat(alice, keys[1]["key"], model="unknown")
    found = use(alice)
    assert [day["date"] for day in found["days"]] == [str(datetime.now(timezone.utc).date())]
    by_name = {key["name"]: key for key in found["keys"]}
    assert {name: (key["requests"], key["errors"]) for name, key in by_name.items()} == {
        "laptop": (2, 0),
        "server": (2, 1),
    }
    total = found["total"]
    rows = [row for row in alice.gateway.rows() if row["route"] == "chat"]
    assert total["requests"] == len(rows) == 4
    for name in ("input_tokens", "output_tokens", "cost"):
        assert total[name] == pytest.approx(sum(row[name] or 0 for row in rows))
        assert total[name] > 0
    assert found["days"][0] | {"date": ""} == {**total, "date": ""}


def test_anothers_use_is_not_told(alice, gateway, idp) -> None:
    """Neither that of a key in the same tenant."""
    key = alice.make().json
    chat(alice, key["key"])
    found = use(bob(gateway, idp))
    assert (found["days"], found["keys"]) == ([], [])
    assert (found["total"]["requests"], found["total"]["cost"]) == (0, None)


def test_use_of_keys_that_ended_is_told(alice) -> None:
    """It was his."""
    key = alice.make("gone").json
    chat(alice, key["key"])
    alice.ask("DELETE", f"/portal/keys/{key['id']}")
    assert [each["name"] for each in use(alice)["keys"]] == ["gone"]


def test_what_was_asked_without_a_key_is_told(begin, shown, idp) -> None:
    """He may call with a token of his too; what went wrong on the page is no use."""
    shown["jwt"][0]["audience"] = idp.client_id
    shown["routes"][0]["auth"] = ["api-key", "jwt"]
    alice = browse(begin(shown))
    alice.sign_in()
    alice.make(routes=["portal-keys"])
    assert use(alice)["keys"] == []
    assert chat(alice, idp.given[-1]).status_code == 200
    [found] = use(alice)["keys"]
    assert (found["name"], found["requests"], found["errors"]) == ("(without a key)", 1, 0)


def test_another_query_is_refused(alice) -> None:
    """Days, from 1 to 92."""
    for query in ("days=0", "days=93", "days=a", "days=1&days=2", "a=b", "a=b&" * 12):
        assert alice.client.get(f"/portal/use?{query}").status_code == 400
    assert use(alice, "?days=92")["days"] == []


def test_limits_and_budgets_are_told(limited) -> None:
    """What is allowed, used and left of each that his keys meet; however often somebody looks."""
    alice = browse(limited)
    alice.sign_in()
    assert use(alice)["limits"] == []  # without a key he meets none
    key = alice.make("laptop").json["key"]
    before = [limits(alice) for _ in range(3)][-1]
    assert {key: each["used"] for key, each in before.items()} == dict.fromkeys(before, 0)
    assert chat(alice, key).status_code == 200
    found = limits(alice)
    assert found.keys() == before.keys()
    requests = found["each-key", "key laptop"]
    assert [requests[name] for name in ("unit", "window", "allowed", "used", "left")] == [
        "requests",
        3600,
        100,
        1,
        99,
    ]
    assert found["rateLimit of chat", "key laptop"]["left"] == 49
    assert ("by-model", "key laptop, model model-a") in found
    assert not [name for name, _ in found if name == "others"]
    spent_as_recorded(limited, alice)


def spent_as_recorded(limited, alice) -> None:
    """What was spent of the tenant's is what the records say."""
    end = time.monotonic() + 20
    while not (spent := limits(alice)["of-tenant", "tenant acme"])["used"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    rows = [row for row in limited.rows() if row["route"] == "chat"]
    assert spent["used"] == pytest.approx(sum(row["cost"] for row in rows), abs=1e-6)
    assert spent["left"] == pytest.approx(5 - spent["used"])
    assert spent["resets_at"].endswith("-01T00:00:00+00:00")


def test_counts_that_cannot_be_reached_are_not_made_up(begin, shown, redis) -> None:  # noqa: F811 - the fixture
    """The answer is null, never a zero."""
    shown["routes"][0] |= {"rateLimit": "50/hour"}
    alice = browse(begin(shown, GATEWAY_STATE=redis.url))
    alice.sign_in()
    alice.make()
    context = alice.gateway.snapshot.context
    person = Caller(id="jwt:login:alice", scheme="session", tenant="acme")
    event = Event("0" * 32, context.manifest.routes[0], "GET", "/", time.time(), caller=person)
    assert [each["used"] for each in told(OwnKeys.of(event, context), context, 1)["limits"]] == [0]
    redis.stop()
    assert told(OwnKeys.of(event, context), context, 1)["limits"] is None


def test_records_that_cannot_be_read_are_said(alice) -> None:
    """A store that is away is a 503, never a zero."""
    alice.make()
    folder = Path(alice.gateway.service.settings.data) / "requests"
    assert not folder.exists()
    folder.write_text("in the way", encoding="utf-8")
    reply = alice.client.get("/portal/use")
    assert (reply.status_code, reply.json["error"]["code"]) == (503, "store_unavailable")
    folder.unlink()
