"""Each request that is over is one line: who and what, never what was said."""

import logging

from ai_gateway.contract import Event
from ai_gateway.dispatch import dispatch, refused_early
from ai_gateway.errors import BodyTimeout
from ai_gateway.hosting import Refusal
from ai_gateway.telemetry import access
from ai_gateway.telemetry.current import CURRENT, Watched
from tests.telemetry.conftest import CHAT, chat

PING = '  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}\n'


def accessed(told):
    """The access lines."""
    return [line for line in told() if line["logger"] == "ai_gateway.telemetry.access"]


def test_a_line_says_who_asked_whom_and_how_long(start, told) -> None:
    """The model, the tokens and the time of the row, under the request's id."""
    gateway = start(CHAT)
    reply = chat(gateway, model="model-a")
    (line,), (row,) = accessed(told), gateway.rows()
    assert line["request_id"] == reply.headers["x-request-id"] == row["request_id"]
    wanted = {
        "level": "INFO",
        "message": "POST v1-chat-completions 200",
        "method": "POST",
        "route": "v1-chat-completions",
        "status": 200,
        "model": "model-a",
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "tenant": "default",
        "key_id": "admin",
    }
    assert {name: line[name] for name in wanted} == wanted
    assert line["ms"] > 0
    assert "error" not in line
    assert CURRENT.get() is None


def test_nothing_of_a_request_but_names_is_told(start, told) -> None:
    """Not its text, its answer, its query, its headers, its key."""
    gateway = start(CHAT + PING)
    chat(gateway, "canary-text", headers={"x-canary": "canary-header"}, model="canary-model")
    chat(gateway, "canary-text", model="model-a", user="canary-user", stream=True).close()
    gateway.client.get("/ping?canary=1", headers={"x-api-key": "canary-key"})
    gateway.client.get("/canary-path?canary=2")
    found = told()
    statuses = [line["status"] for line in found if "status" in line]
    assert statuses == [404, 499, 401, 404]
    assert "canary" not in str(found)
    assert gateway.key not in str(found)


def test_a_stream_is_told_when_it_is_over(start, simulator, told) -> None:
    """With what became of it: whole, broken, or left by its caller."""
    gateway = start(CHAT)
    for fault in ("", "cut=mid-body"):
        simulator.faults["model-a"] = fault
        with chat(gateway, model="model-a", stream=True) as reply:
            reply.get_data()
    whole, broken = accessed(told)
    assert (whole["status"], whole["output_tokens"] > 0) == (200, True)
    assert (broken["status"], broken["error"]) == (502, "upstream_error")


def test_a_reply_whose_caller_left_is_over_once(start, told) -> None:
    """However often it is closed."""
    gateway = start(CHAT)
    reply = chat(gateway, model="model-a", stream=True)
    assert accessed(told) == []
    reply.close()
    reply.close()
    (line,) = accessed(told)
    assert (line["status"], line["error"]) == (499, "client_closed_request")
    assert CURRENT.get() is None


def test_refusals_are_told_too(start, told) -> None:
    """By the gateway, for want of a route, and by the server before any function."""
    gateway = start(CHAT + PING)
    gateway.client.post("/v1/chat/completions", json={})
    gateway.client.open("/nowhere", method="A" * 100)
    refused_early(gateway.snapshot, Refusal(BodyTimeout("late"), "POST", "/ping"))
    first, second, third = accessed(told)
    assert (first["status"], first["error"], first["key_id"]) == (
        401,
        "invalid_api_key",
        "anonymous",
    )
    assert (second["status"], second["route"], second["method"]) == (404, "none", "A" * 16)
    assert (third["status"], third["route"]) == (408, "ping")


def test_lines_that_nobody_wants_cost_nothing(start, lines, told) -> None:
    """From warnings on there is no access line."""
    gateway = start(PING)
    lines(GATEWAY_LOG_LEVEL="warning")
    gateway.client.get("/ping")
    assert accessed(told) == []
    assert not access.log.isEnabledFor(logging.INFO)


def test_a_failure_that_nobody_foresaw_is_told_with_its_request(start, told) -> None:
    """The line of the failure and that of the access have the same id."""
    snapshot = start(PING).snapshot
    told()

    def broken(event, context):
        raise ZeroDivisionError

    route = snapshot.bundle.manifest.routes[0]
    dispatch(Event("b" * 32, route, "GET", "/ping", 0.0), broken, snapshot)
    failure, line = told()
    assert failure["request_id"] == line["request_id"] == "b" * 32
    assert "ZeroDivisionError" in failure["exception"]
    assert line["status"] == 500


def test_chunks_without_a_close_are_over_as_well() -> None:
    """Not every iterable can be closed."""
    over = []
    watched = Watched([b"a"], lambda: over.append(1))
    assert list(watched) == [b"a"]
    watched.close()
    watched.close()
    assert over == [1]
