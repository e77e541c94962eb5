"""Which counters a call meets."""

import re
from pathlib import Path

import pytest

from ai_gateway.limits.declared import Limit
from ai_gateway.limits.meter import Meter, Shown, seconds
from ai_gateway.limits.plan import ASKING, HEALTH, Who, entries, meets, rules, spent
from ai_gateway.manifest.checks.asking import SILENT
from ai_gateway.manifest.model import Manifest, Route

ME = Who("default", "", "me")


def rule(**declared):
    """The one rule of a limit of requests, unless something else is declared."""
    if not declared.keys() & {"tokens", "amount"}:
        declared["requests"] = "5/s"
    kind = "budgets" if "amount" in declared else "limits"
    (found,) = rules(Manifest.model_validate({kind: [declared]}))
    return found


def parts(found, who=ME, routes=("a",), models=("m", "n")):
    """What tells the counters of a rule from each other."""
    return [entry.counter.part for entry in entries(found, who, routes, models)]


@pytest.mark.parametrize(
    ("per", "other", "same"),
    [
        ("key", ME._replace(key="you"), False),
        ("key", ME._replace(team="ml"), True),
        ("key", ME._replace(tenant="other"), False),
        ("team", ME._replace(key="you"), True),
        ("team", ME._replace(team="ml"), False),
        ("team", ME._replace(tenant="other"), False),
        ("tenant", ME._replace(team="ml", key="you"), True),
        ("tenant", ME._replace(tenant="other"), False),
        ("route", ME._replace(tenant="other", key="you"), True),
        (["tenant", "route"], ME._replace(tenant="other"), False),
    ],
)
def test_who_shares_a_count(per, other, same) -> None:
    """A key or team of one tenant is never one of another; who has no team shares one (40)."""
    found = rule(per=per)
    assert (parts(found) == parts(found, other)) is same
    assert len(parts(found)) == 1


def test_each_route_and_model_of_a_call_has_a_count() -> None:
    """Of the called and the named route, and of every model that may answer."""
    assert len(parts(rule(per="route"), routes=("a", "b"))) == 2
    assert len(parts(rule(per="model"))) == 2
    assert len(parts(rule(per=["model", "route"]), routes=("a", "b"))) == 4
    assert len(parts(rule(per="key"), routes=("a", "b"))) == 1
    assert parts(rule(per="model"), models=()) == []


@pytest.mark.parametrize(
    ("match", "met"),
    [
        ({}, 1),
        ({"routes": "a"}, 1),
        ({"routes": ["b", "c"]}, 0),
        ({"models": "m"}, 1),
        ({"models": "other"}, 0),
        ({"tenants": "default"}, 1),
        ({"tenants": "other"}, 0),
        ({"teams": "ml"}, 0),
    ],
)
def test_what_is_matched_is_counted(match, met) -> None:
    """All of the lists must be met; one that is left out is."""
    assert len(parts(rule(per="key", match=match))) == met
    assert len(parts(rule(per="key", match=match, amount=1, window="day"))) == met


def test_tokens_and_money_are_of_calls_that_a_model_may_answer() -> None:
    """A call that asks for an unknown model takes requests alone."""
    for declared in ({"tokens": "5/s"}, {"amount": 1, "window": "day"}):
        assert parts(rule(per="key", **declared), models=()) == []
    assert len(parts(rule(per="key"), models=())) == 1


def test_whose_use_counts() -> None:
    """Where only some of the models are meant, only their use; where all are, whoever answers."""
    (some,) = entries(rule(per="key", match={"models": "m"}), ME, ["a"], ["m", "n"])
    (both,) = entries(rule(per="key", match={"models": ["m", "n"]}), ME, ["a"], ["m", "n"])
    (only,) = entries(rule(per="model"), ME, ["a"], ["m"])
    assert (some.models, both.models, only.models) == (frozenset("m"), None, None)
    assert (some.among, both.among) == (("m",), ("m", "n"))


def test_what_is_counted_names_the_count_and_not_how_much() -> None:
    """A higher limit counts on; another window, match or partition begins anew."""
    key = rule(per="key", amount=1, window="day").key
    assert rule(per="key", amount=2, window="day", soft=0.5).key == key
    others = [
        rule(per="key", amount=1, window="month"),
        rule(per="team", amount=1, window="day", name="key"),
        rule(per="key", amount=1, window="day", match={"teams": "a"}),
        rule(per="key", tokens="1/s"),
    ]
    assert len({key, *(other.key for other in others)}) == 5


def test_a_limit_may_be_of_both_and_a_route_have_its_own() -> None:
    """The route's own comes first, and is the caller's."""
    manifest = Manifest.model_validate(
        {
            "routes": [{"path": "/a", "rateLimit": 5}, {"path": "/b"}],
            "limits": [{"per": "key", "requests": 1, "tokens": "9/day"}],
        }
    )
    found = [(each.name, each.unit, each.cap, each.window) for each in rules(manifest)]
    assert found == [
        ("rateLimit of a", "requests", 5, 60),
        ("key", "requests", 1, 60),
        ("key", "tokens", 9, 86_400),
    ]


def test_probes_are_met_by_name_only() -> None:
    """And all other routes by whatever says nothing of routes."""
    ping = Route(path="/ping", function="functions.ping:handle")
    chat = Route(path="/chat", function="functions.v1.chat_completions:handle")
    assert [meets(rule(per="key"), route) for route in (ping, chat)] == [False, True]
    named = rule(per="key", match={"routes": "ping"})
    assert [meets(named, route) for route in (ping, chat)] == [True, False]


def test_every_function_that_asks_a_model_is_known() -> None:
    """One that is not would be counted before it asks, and take two round trips."""
    folder = Path(__file__).parents[2] / "functions"
    asking = {
        "functions." + ".".join(path.relative_to(folder).with_suffix("").parts) + ":handle"
        for path in folder.rglob("*.py")
        if re.search(r"\bcontext\.answer\(|\b(surfaces\.|forms\.|^)ask\(", path.read_text())
    }
    assert asking - {"functions.proxy:handle"} <= ASKING
    assert not ASKING & SILENT
    assert not HEALTH - SILENT


def test_spend_is_told_apart_as_calls_are() -> None:
    """A row counts for its route and for the one that it named, if that can be named."""
    row = {"tenant": "default", "team": None, "key_id": "me", "route": "a", "served": "m"}
    rows = [{**row, "model_requested": name, "cost": 0.5} for name in ("b", "m", "a", None)]
    found = spent(rule(per="route", amount=1, window="day"), rows, {"a", "b"})
    assert sorted(found.values()) == [500_000_000, 2_000_000_000]
    mine = rule(per=["key", "model"], amount=1, window="day")
    assert spent(mine, [{**row, "model_requested": None, "cost": None}], ()) == {parts(mine)[0]: 0}


@pytest.mark.parametrize(
    ("wait", "written"),
    [(0, "0s"), (0.2, "1s"), (59.5, "1m0s"), (360, "6m0s"), (3601, "1h0m1s"), (-1, "0s")],
)
def test_a_wait_is_written_as_openai_does(wait, written) -> None:
    """Rounded up, so that who waits it out has waited enough."""
    assert seconds(wait) == written


def test_the_tightest_limit_is_told() -> None:
    """Of several the one of which least is left."""
    meter = Meter()
    for left in (5, 3, 4):
        meter.show("requests", Shown(10 * left, left, 9.0))
    assert meter.headers("openai", 0.0) == {
        "x-ratelimit-limit-requests": "30",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "9s",
    }
    assert meter.headers("anthropic", 0.5)["anthropic-ratelimit-requests-reset"] == (
        "1970-01-01T00:00:10Z"
    )


def test_what_is_counted_by_is_said_once() -> None:
    """A combination has each dimension at most once, and a list of one may be a word."""
    assert Limit(per="key").per == ("key",)
    with pytest.raises(ValueError, match="at most once"):
        Limit(per=["key", "key"])
