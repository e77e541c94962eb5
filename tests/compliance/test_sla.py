"""Service levels: from the records and from live counters, by one definition."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from ai_gateway.answer.record import Decision
from ai_gateway.compliance import sla
from ai_gateway.compliance.live import Objectives
from ai_gateway.compliance.text import table
from ai_gateway.contract import Event
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.records import Records
from tests.records.conftest import DAY, NOON, request_row

ROUTE = {
    "path": "/chat",
    "name": "chat",
    "slo": {"availability": "99%", "latency": {"p": "90%", "under": "1s"}},
}
QUIET = {"path": "/quiet", "name": "quiet", "slo": {"availability": "99.9%", "window": "1h"}}
#: (status, surface, milliseconds): what counts, and what does not.
ASKED = (
    *[(200, "chat", 100.0)] * 96,
    *[(200, "chat", 1000.0)] * 2,
    *[(302, "chat", 1000.1)] * 1,
    *[(502, "chat", 50.0), (500, None, 1.0)],
    *[(429, None, 1.0), (403, "chat", 9999.0), (499, "chat", 9999.0)],
    *[(503, "judge", 1.0), (503, "shadow", 1.0), (503, "cache", 1.0)],
)


def manifest(*routes: dict) -> Manifest:
    """One with these routes, and one that promises nothing."""
    return Manifest.model_validate({"routes": [*routes, {"path": "/ping"}]})


def fill(records: Records, at: float = NOON) -> None:
    """All that was asked, at one time."""
    start = len(records.scan("requests", ["request_id"]))
    for number, (status, surface, latency) in enumerate(ASKED, start):
        whole = {"status": status, "surface": surface, "latency_ms": latency}
        records.append("requests", request_row(number, at, route="chat", **whole))
    records.append("requests", request_row(start + 500, at, route="ping", status=503))
    records.flush()


def test_a_route_is_told_what_it_kept(records: Records) -> None:
    """5xx are bad, 4xx and the gateway's own calls count neither way; the limit itself is good."""
    fill(records)
    told, quiet = sla.report(records, manifest(ROUTE, QUIET), NOON + 60)
    assert (told["served"], told["failed"], told["slow"]) == (99, 2, 1)
    available, fast = told["availability"], told["latency"]
    assert available["good"] == pytest.approx(99 / 101)
    assert available["budget_left"] == pytest.approx(1 - (2 / 101) / 0.01)
    assert available["met"] is False
    assert fast["good"] == pytest.approx(98 / 99)
    assert fast["budget_left"] == pytest.approx(1 - (1 / 99) / 0.1)
    assert (fast["met"], fast["under_seconds"]) == (True, 1.0)
    assert quiet["availability"] == {
        "target": 0.999,
        "good": None,
        "met": None,
        "budget_left": None,
        "burn": {"1h": None, "6h": None, "3d": None},
    }


def test_the_burn_is_that_of_each_window(records: Records) -> None:
    """How many times faster than what uses the budget just up."""
    for hours, bad in ((0.5, 2), (5, 1), (70, 1), (200, 4)):
        at = NOON - hours * 3600
        for number in range(100):
            row = request_row(number, at, route="chat", status=503 if number < bad else 200)
            records.append("requests", {**row, "request_id": f"{hours}-{number}"})
    records.flush()
    (told,) = sla.report(records, manifest(ROUTE), NOON)
    burn = told["availability"]["burn"]
    assert burn == pytest.approx({"1h": 2.0, "6h": 1.5, "3d": 4 / 3})
    assert told["availability"]["budget_left"] == pytest.approx(-1.0)
    (told,) = sla.report(records, manifest(ROUTE), NOON, days=3)
    assert (told["days"], told["availability"]["budget_left"]) == (3, pytest.approx(-1 / 3))


def test_what_just_uses_the_budget_up_is_met(records: Records) -> None:
    """One of a hundred where 99 % are promised."""
    for number in range(100):
        status = 200 if number else 500
        records.append("requests", request_row(number, route="chat", status=status))
    records.flush()
    (told,) = sla.report(records, manifest(ROUTE), NOON + 1)
    assert (told["availability"]["met"], told["availability"]["budget_left"]) == (True, 0.0)


def test_the_time_before_the_window_does_not_count(records: Records) -> None:
    """To the microsecond."""
    fill(records, NOON - 30 * DAY - 1)
    (told,) = sla.report(records, manifest(ROUTE), NOON)
    assert told["served"] == 0
    (told,) = sla.report(records, manifest(ROUTE), NOON - 1)
    assert told["served"] == 99


def test_a_route_may_promise_one_thing_alone(records: Records) -> None:
    """Of the other nothing is told."""
    fill(records)
    one = {**ROUTE, "slo": {"latency": {"p": "90%", "under": "1s"}}}
    (told,) = sla.report(records, manifest(one), NOON + 60)
    assert ("availability" in told, told["latency"]["met"]) == (False, True)


def test_without_promises_there_is_nothing_to_tell(records: Records) -> None:
    """And nothing is read."""
    assert sla.report(records, manifest(), NOON) == []
    assert table([]) == "no route has an slo\n"


def test_a_terminal_gets_a_table(records: Records) -> None:
    """A line an objective."""
    fill(records)
    lines = table(sla.report(records, manifest(ROUTE, QUIET), NOON + 60)).splitlines()
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "chat availability 30 101 99% 98.02% -98.02% 1.98 1.98 1.98",
        "chat latency under 1 s 30 99 90% 98.99% 89.899% 0.10 0.10 0.10",
        "quiet availability 0.0416667 0 99.9% - - - - -",
    ]


def counted(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """The live counts of the route, by objective and outcome."""
    return {
        (sample.labels["objective"], sample.labels["outcome"]): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "ai_gateway_slo_requests_total" and sample.labels["route"] == "chat"
    }


def test_live_counters_and_records_say_the_same(records: Records) -> None:
    """Of the same requests."""
    fill(records)
    (told,) = sla.report(records, manifest(ROUTE), NOON + 60)
    registry = CollectorRegistry()
    live, route = Objectives(registry), Route.model_validate(ROUTE)
    live.declare([route])
    event = Event("r", route, "POST", "/chat", received_at=NOON, started=0.0)
    for status, surface, latency in ASKED:
        live.decided(Decision(event, surface, status=status), latency / 1000)
    assert counted(registry) == {
        ("availability", "good"): told["served"],
        ("availability", "bad"): told["failed"],
        ("latency", "good"): told["served"] - told["slow"],
        ("latency", "bad"): told["slow"],
    }


def test_what_is_no_longer_promised_is_no_longer_shown() -> None:
    """After a reload; a count of nothing is there from the start, for a rate needs it."""
    registry = CollectorRegistry()
    live, route = Objectives(registry), Route.model_validate(ROUTE)
    live.declare([route, Route(path="/ping", name="ping")])
    assert counted(registry)["latency", "bad"] == 0
    target = {"route": "chat", "objective": "latency"}
    assert registry.get_sample_value("ai_gateway_slo_target", target) == 0.9
    only = Route.model_validate({**ROUTE, "slo": {"availability": "99.5%"}})
    live.declare([only])
    assert registry.get_sample_value("ai_gateway_slo_target", target) is None
    target["objective"] = "availability"
    assert registry.get_sample_value("ai_gateway_slo_target", target) == 0.995
    event = Event("r", only, "POST", "/chat", received_at=NOON)
    live.decided(Decision(event, "chat", status=200), 0.0)
    fast = Route.model_validate({**ROUTE, "slo": {"latency": {"p": "90%", "under": "1s"}}})
    live.decided(Decision(replace(event, route=fast), "chat", status=500), 0.0)
    assert json.dumps(sorted(counted(registry).values())) == "[0.0, 0.0, 0.0, 1.0]"
