"""Retention, erasure, export and service levels through a whole gateway."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ai_gateway import jobs
from ai_gateway.clock import SystemClock
from ai_gateway.compliance import export
from ai_gateway.compliance.erasure import Wanted
from ai_gateway.contract import Caller, Event
from ai_gateway.control.audit import Audit, verify
from ai_gateway.errors import Forbidden, StoreAway
from ai_gateway.manifest.model import Job, Route
from ai_gateway.records import Records
from functions import prune
from functions.admin import erasure
from functions.admin import export as export_function
from tests.records.conftest import FakeClock

DAY = 86_400.0
ROUTES = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    cache: {ttl: 1h, always: true}
    slo: {availability: 99.9%, latency: {p: 95%, under: 10s}}
  - {path: /metrics, methods: [GET], function: "functions.metrics:handle", auth: none}
  - path: /api/v1/erasures
    methods: [GET, POST]
    function: functions.admin.erasure:handle
    auth: api-key
  - path: /api/v1/exports
    methods: [GET]
    function: functions.admin.export:handle
    auth: api-key
jobs:
  - {name: prune, function: "functions.prune:handle", every: 1d}
retention: {requests: 30d, tenants: {default: {requests: 7d}}}
"""
ERASURES, EXPORTS = "/api/v1/erasures", "/api/v1/exports"


@pytest.fixture
def gateway(start):
    """Two answers: of model-a, and of what model-a said before."""
    gateway = start(ROUTES)
    for _ in range(2):
        assert gateway.ask("What is a monad?", model_name="model-a").status_code == 200
    return gateway


def test_what_is_held_is_exported_erased_and_gone(gateway) -> None:
    """And the answer is not given again from the cache either; the audit log has both."""
    (first, second) = gateway.rows()
    assert (first["cache"], second["cache"]) == ("miss", "hit")
    reply = gateway.client.get(f"{EXPORTS}?tenant=default", headers=gateway.headers)
    *lines, end = map(json.loads, reply.text.splitlines())
    assert reply.content_type == "application/x-ndjson"
    assert {each["row"]["request_id"] for each in lines if each["table"] == "requests"} == {
        first["request_id"],
        second["request_id"],
    }
    assert end["end"]["complete"] is True
    reply = gateway.client.post(ERASURES, json={"tenant": "default"}, headers=gateway.headers)
    assert (reply.status_code, reply.json["state"]) == (200, "done")
    assert (reply.json["rows"]["requests"], reply.json["by"]) == (2, "admin")
    assert gateway.rows() == []
    asked = f"{ERASURES}?tenant=default&request={first['request_id']}"
    assert gateway.client.get(asked, headers=gateway.headers).json["erased"] is True
    gateway.ask("What is a monad?", model_name="model-a")
    (row,) = gateway.rows()
    assert row["cache"] == "miss"
    actions = [(row["action"], row["who"]) for row in gateway.rows("audit")]
    assert actions == [("export.read", "admin"), ("erasure.run", "admin")]


def test_an_erasure_that_another_run_stands_in_the_way_of_is_accepted(gateway) -> None:
    """202: the next tick of the job carries it out."""
    gateway.service.records.flush()
    with gateway.service.records.lease("compact", "another", 60):
        reply = gateway.client.post(ERASURES, json={"tenant": "default"}, headers=gateway.headers)
        assert (reply.status_code, reply.json["state"]) == (202, "pending")
        job = Job(name="prune", function="functions.prune:handle", every="1d")
        assert jobs.tick(gateway.service, gateway.snapshot, job)[0] == jobs.HELD
    assert len(gateway.rows()) == 2
    code, reply = jobs.tick(gateway.service, gateway.snapshot, job)
    assert (code, reply.body["held"], reply.body["erasures"]) == (jobs.DONE, False, 1)
    assert gateway.rows() == []


def test_a_dry_run_counts(gateway) -> None:
    """And leaves everything."""
    body = {"key": "admin", "dry_run": True}
    reply = gateway.client.post(ERASURES, json=body, headers=gateway.headers)
    rows = {"requests": 2, "scores": 0, "feedback": 0, "webhooks": 0}
    assert reply.json == {"state": "counted", "rows": rows}
    assert len(gateway.rows()) == 2


def test_old_rows_go_with_the_job(gateway) -> None:
    """As `retention` says of the table and of the tenant."""
    now = gateway.service.clock.now()
    for number, (age, tenant) in enumerate([(40, "x"), (20, "x"), (20, "default"), (5, "default")]):
        row = {"request_id": f"old{number}", "tenant": tenant}
        gateway.service.records.append(
            "requests", {**row, "received_at": round((now - age * DAY) * 1e6)}
        )
    gateway.service.records.flush()
    (job,) = gateway.snapshot.bundle.manifest.jobs
    code, reply = jobs.tick(gateway.service, gateway.snapshot, job)
    assert (code, reply.body["dates"], reply.body["rows"]) == (
        jobs.DONE,
        {"requests": 1},
        {"requests": 1},
    )
    left = {row["request_id"] for row in gateway.rows() if row["request_id"].startswith("old")}
    assert left == {"old1", "old3"}


def test_service_levels_are_counted_live(gateway) -> None:
    """From the start, for alerts need a count of nothing."""
    text = gateway.client.get("/metrics").text
    of = 'objective="{}",outcome="{}",route="inference"'
    for objective, outcome, count in (
        ("availability", "good", 2.0),
        ("availability", "bad", 0.0),
        ("latency", "good", 2.0),
    ):
        line = f"ai_gateway_slo_requests_total{{{of.format(objective, outcome)}}} {count}"
        assert line in text
    assert 'ai_gateway_slo_target{objective="latency",route="inference"} 0.95' in text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", ERASURES, {}),
        ("POST", ERASURES, {"tenant": ""}),
        ("POST", ERASURES, {"tenant": "a\n"}),
        ("POST", ERASURES, {"tenants": ["a"]}),
        ("POST", ERASURES, {"request": ["r"] * 10_001}),
        ("GET", ERASURES, None),
        ("GET", f"{EXPORTS}?tenant=a&tenant=b", None),
        ("GET", f"{EXPORTS}?everybody=1", None),
        ("GET", f"{EXPORTS}?{'request=a&' * 101}", None),
    ],
)
def test_whose_rows_are_meant_must_be_said(gateway, method, path, body) -> None:
    """By its own names, once, within bounds; nothing is changed."""
    reply = gateway.client.open(path, method=method, json=body, headers=gateway.headers)
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "invalid_request")
    assert gateway.service.records.ledger.pending() == []


def test_a_form_of_a_foreign_page_erases_nothing(gateway) -> None:
    """Only what says that it is JSON does."""
    reply = gateway.client.post(ERASURES, data='{"tenant": "a"}', headers=gateway.headers)
    assert (reply.status_code, reply.json["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", [ERASURES, EXPORTS])
def test_nobody_else_may(gateway, path) -> None:
    """Neither a stranger nor a key that is no administrator's."""
    assert gateway.client.get(f"{path}?tenant=default").status_code == 401
    handle = erasure.handle if path == ERASURES else export_function.handle
    with pytest.raises(Forbidden):
        handle(event("GET", path, admin=False), gateway.snapshot.context)
    with pytest.raises(Forbidden):
        handle(event("POST", path, admin=False), gateway.snapshot.context)
    with pytest.raises(Forbidden):
        prune.handle(event("POST", "/prune", admin=False), gateway.snapshot.context)


def event(method: str, path: str, query: str = "tenant=a", *, admin: bool = True) -> Event:
    """A request of somebody with a key."""
    caller = Caller(id="k1", scheme="api-key", admin=admin)
    return Event("r", Route(path=path), method, path, 0.0, query=query, caller=caller)


def test_a_store_that_is_away_is_told(gateway, tmp_path) -> None:
    """As what may be tried again."""
    (tmp_path / "file").touch()
    with Records.open(
        str(tmp_path / "file"), tmp_path / "w", SystemClock(), background=False
    ) as away:
        away.append("requests", {"request_id": "r", "received_at": 0})
        context = replace(gateway.snapshot.context, records=away)
        for handle, path in ((erasure.handle, ERASURES), (export_function.handle, EXPORTS)):
            with pytest.raises(StoreAway):
                handle(event("GET", path), context)


def test_an_export_is_bounded(gateway) -> None:
    """Its last line says that there is more."""
    records = gateway.service.records
    records.flush()
    *_, end = export.lines(records, Wanted(tenant="default").subject(), 1)
    assert json.loads(end) == {"end": {"rows": {"requests": 1}, "complete": False}}


@pytest.mark.parametrize("declared", [True, False])
def test_the_audit_log_is_pruned_where_the_file_says_so_alone(start, declared) -> None:
    """By the job, or an administrator's call of it; what is left of it verifies either way."""
    more = "audit: 2d, " if declared else ""
    gateway = start(ROUTES.replace("retention: {", f"retention: {{{more}"))
    now, clock = gateway.service.clock.now(), FakeClock()
    audit = Audit(gateway.service.records, clock, "old")
    for age in (9, 8, 1):
        clock.time = now - age * DAY
        audit.note(None, "a", "o")
    gateway.service.records.flush()
    prune.handle(event("POST", "/prune"), gateway.snapshot.context)
    rows = gateway.rows("audit")
    numbers = [row["number"] for row in rows if row["writer"] == "old"]
    assert numbers == ([3, 4] if declared else [0, 1, 2, 3, 4])  # two of them say since when
    assert verify(rows).faults == []
    assert ("audit.prune" in {row["action"] for row in rows}) is declared
