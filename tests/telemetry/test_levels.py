"""The level of log lines changes while the gateway runs, in every process of the machine."""

import logging
import time

import pytest

from ai_gateway.telemetry.levels import Levels

ROUTE = """
  - path: /api/v1/log-level
    methods: [GET, PUT]
    function: functions.admin.log_level:handle
    auth: [api-key, none]
"""
OWN, LIBRARY = logging.getLogger("ai_gateway.anything"), logging.getLogger("urllib3.anything")


def put(gateway, level, **headers):
    """Ask for another level."""
    return gateway.client.put(
        "/api/v1/log-level", json={"level": level}, headers={**gateway.headers, **headers}
    )


def test_the_administrator_changes_the_level_and_takes_it_back(start, told) -> None:
    """At once, for the gateway's own lines; libraries never tell what they send."""
    gateway = start(ROUTE)
    OWN.debug("before")
    assert put(gateway, "DEBUG").json == {"level": "debug", "declared": "info"}
    OWN.debug("after")
    LIBRARY.debug("never")
    assert put(gateway, "error").json["level"] == "error"
    LIBRARY.warning("not now")
    reply = put(gateway, None)
    assert reply.json == {"level": "info", "declared": "info"}
    get = gateway.client.get("/api/v1/log-level", headers=gateway.headers)
    assert get.json == reply.json
    assert get.status_code == 200
    messages = [line["message"] for line in told()]
    assert "after" in messages
    assert not {"before", "never", "not now"} & set(messages)
    audited = [(row["action"], row["before"], row["after"]) for row in gateway.rows("audit")]
    assert audited[0] == ("log-level.put", '"info"', '"debug"')
    assert len(audited) == 3


def test_nobody_else_may(start) -> None:
    """Neither see nor change it; a route that lets others in changes nothing about that."""
    gateway = start(ROUTE)
    assert gateway.client.get("/api/v1/log-level").status_code == 403
    assert gateway.client.put("/api/v1/log-level", json={"level": "debug"}).status_code == 403
    assert Levels.of(gateway.service.settings).current == "info"
    (row,) = gateway.rows("audit")
    assert (row["action"], row["who"], row["outcome"]) == (
        "log-level.put",
        "anonymous",
        "forbidden",
    )


@pytest.mark.parametrize(
    ("level", "headers", "status"),
    [("loud", {}, 400), (7, {}, 400), ("debug", {"content-type": "text/plain"}, 415)],
)
def test_nonsense_changes_nothing(start, told, level, headers, status) -> None:
    """No level of that name, no JSON: refused."""
    gateway = start(ROUTE)
    assert put(gateway, level, **headers).status_code == status
    assert Levels.of(gateway.service.settings).current == "info"


def test_other_processes_follow(tmp_path, lines) -> None:
    """A change is a file that each of them looks at; one that is no level counts as none."""
    lines(GATEWAY_LOG_FORMAT="json")
    here, there = (Levels(tmp_path / "wal" / "log-level", "info", every=0.01) for _ in range(2))
    there.start()
    here.change("debug")
    logging.getLogger("ai_gateway").setLevel(logging.INFO)  # as the other process still has it
    _until(lambda: logging.getLogger("ai_gateway").level == logging.DEBUG)
    assert here.path.stat().st_mode & 0o777 == 0o600
    here.path.write_bytes(b"\xff" * 1000)
    _until(lambda: logging.getLogger("ai_gateway").level == logging.INFO)
    there.stop()
    here.stop()
    assert [path.name for path in here.path.parent.iterdir()] == ["log-level"]


def test_a_process_that_starts_takes_the_changed_level(tmp_path, lines) -> None:
    """A worker that is started anew is as the others."""
    lines(GATEWAY_LOG_FORMAT="json")
    Levels(tmp_path / "data" / "wal" / "log-level", "info").change("debug")
    lines(GATEWAY_LOG_FORMAT="json")
    assert logging.getLogger("ai_gateway").level == logging.DEBUG
    assert logging.getLogger().level == logging.INFO


def _until(holds) -> None:
    by = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < by
        time.sleep(0.01)
