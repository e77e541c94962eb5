"""Limits and budgets as an administrator sees them: declared, and how they stand."""

import time

import pytest

ROUTES = """
  - path: /inference
    name: inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    routing: {models: [model-a]}
    rateLimit: 100/hour
  - path: /api/v1/budgets
    name: budgets
    methods: [GET]
    function: functions.admin.budgets:handle
    auth: api-key
limits:
  - {name: of-all, per: tenant, match: {routes: inference}, requests: 50/day}
budgets:
  - {name: of-tenant, per: tenant, amount: 5, window: month, assume: 500}
  - {name: of-team, per: team, amount: 2, window: day, assume: 500}
"""


@pytest.fixture
def gateway(start):
    """One model with a price, a limit and two budgets."""
    return start(ROUTES)


def look(gateway, query=""):
    """What the administrator is shown, once what was spent is counted after the start."""
    for _ in range(100):
        reply = gateway.client.get(f"/api/v1/budgets{query}", headers=gateway.headers)
        if reply.status_code != 503:
            break
        assert reply.json["error"]["code"] == "limits_unavailable"
        time.sleep(0.05)
    return reply


def standing(gateway, query):
    """How it stands, by name."""
    return {each["name"]: each for each in look(gateway, query).json["standing"]}


def test_what_is_declared_is_shown(gateway) -> None:
    """Without a name nobody's counts are."""
    shown = look(gateway).json
    assert [each["name"] for each in shown["limits"]] == ["of-all"]
    assert [(each["name"], each["amount"]) for each in shown["budgets"]] == [
        ("of-tenant", 5.0),
        ("of-team", 2.0),
    ]
    assert shown["standing"] == []


def test_how_they_stand_is_told_of_who_is_named(gateway) -> None:
    """What was asked and spent, of a tenant as such: not what only a team or a key has."""
    look(gateway, "?tenant=default")
    for _ in range(3):
        assert gateway.ask("What is a monad?").status_code == 200
    mine = standing(gateway, "?tenant=default")
    assert mine.keys() == {"of-all", "of-tenant"}
    spent = mine["of-tenant"]
    assert (spent["unit"], spent["window"], spent["of"]) == ("cost", "month", "tenant default")
    assert 0 < spent["used"] < spent["allowed"] == 5.0
    assert spent["used"] + spent["left"] == pytest.approx(spent["allowed"])
    keys = standing(gateway, "?tenant=default&key=admin")
    assert (keys["of-all"]["used"], keys["rateLimit of inference"]["used"]) == (3, 3)
    other = standing(gateway, "?tenant=other&team=a")
    assert {name: each["used"] for name, each in other.items()} == {
        "of-all": 0,
        "of-tenant": 0,
        "of-team": 0,
    }


def test_looking_takes_nothing(gateway) -> None:
    """However often it is done."""
    looks = [standing(gateway, "?tenant=default") for _ in range(4)]
    assert [look["of-all"]["left"] for look in looks] == [50] * 4
    assert [look["of-tenant"]["used"] for look in looks] == [0] * 4


@pytest.mark.parametrize("query", ["?tenant=a&tenant=b", "?whose=a", "?team="])
def test_what_is_no_name_is_refused(gateway, query) -> None:
    """With what would be right."""
    assert look(gateway, query).status_code == 400


def test_it_takes_the_scope(gateway) -> None:
    """Nobody else sees what others spend."""
    assert gateway.client.get("/api/v1/budgets").status_code == 401
