"""A route with a target: what stands behind comes under the same keys, policies and records."""

import threading
import time

import pytest

from ai_gateway.answer.proxied import question
from ai_gateway.answer.proxied import reply as answer_of
from ai_gateway.contract import Event
from ai_gateway.hosting.arrival import Arrival
from ai_gateway.manifest.model import Route
from ai_gateway.upstream import RawReply

ROUTE = """
  - name: predict
    path: /predict
    target: {target}
    methods: [GET, POST]
    auth: api-key
    guardrails: [forbidden]
    credentials: {{token: of-the-target}}
"""
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input, output], action: block, phrases: [xyzzy]}
"""
}


@pytest.fixture
def gateway(start, simulator):
    """A legacy API behind /predict: the stand-in's first endpoint."""
    target = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    return start(ROUTE.format(target=target), policies=POLICIES)


def chat(text):
    """A body that the target takes."""
    return {"model": "simulated/model-a", "messages": [{"role": "user", "content": text}]}


def test_path_query_and_body_arrive_with_the_targets_own_token(gateway) -> None:
    """What is below the path goes to the target; the caller's secrets do not."""
    headers = {**gateway.headers, "Cookie": "session=canary", "REMOTE-USER": "canary"}
    reply = gateway.client.post(
        "/predict/chat/completions?a=1&b=%20", json=chat("What is GRPO?"), headers=headers
    )
    assert reply.status_code == 200
    assert reply.json["object"] == "chat.completion"
    assert (reply.headers["x-gateway-model"], reply.headers["x-gateway-decision"]) == (
        "predict",
        "pinned",
    )
    (seen,) = gateway.simulator.requests
    assert seen.path.endswith("/v1/chat/completions?a=1&b=%20")
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert sent["authorization"] == "Bearer of-the-target"
    assert "canary" not in str(sent)
    assert "x-api-key" not in sent


@pytest.mark.parametrize("below", ["/", "/a", "/a/", "/a%20b"])
def test_the_path_below_is_appended_as_it_is(gateway, below) -> None:
    """A slash at the end means something to many a target, so it is neither added nor lost."""
    gateway.client.get(f"/predict{below}", headers=gateway.headers)
    (seen,) = gateway.simulator.requests
    assert seen.path.endswith(f"/v1{below}")


def test_it_is_recorded_like_a_model(gateway) -> None:
    """One row, with who asked, what was said, where it went and what came back."""
    gateway.client.post("/predict/chat/completions", json=chat("Hi"), headers=gateway.headers)
    (row,) = gateway.rows()
    assert (row["surface"], row["selection"], row["served"], row["status"]) == (
        "proxy",
        "pinned",
        "predict",
        200,
    )
    assert "Hi" in row["input"]
    assert row["attempts"][0]["status"] == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"json": chat("say xyzzy")},
        {"json": {"deep": [{"xyzzy": 1}]}},
        {"data": b'{"a": "\\u0078yzzy"}'},
        {"data": b"say xyzzy", "content_type": "text/plain"},
        {"query_string": "q=xyzzy"},
        {"query_string": "q=%78yzz%79"},
        {"query_string": "say%20xyzzy"},
        {"query_string": "a=1&q=%7B%22a%22%3A%22%5Cu0078yzzy%22%7D"},
        {"query_string": "%7B%22a=b%22%3A%22%5Cu0078yzzy%22%7D"},
        {"query_string": "q=%7B%22a%22%3A%22%5Cu0078yzzy%22%2C%22a%22%3A1%7D"},
        {"data": b"a=1&q=%78yzzy", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"q=%22%5Cu0078yzzy%22", "content_type": "Application/X-WWW-Form-Urlencoded"},
        {"data": b' "\\u0078yzzy"', "content_type": "text/plain"},
        {"data": b'\xef\xbb\xbf"\\u0078yzzy"', "content_type": "text/plain"},
        {"data": b'{"index":{}}\n{"a":"\\u0078yzzy"}\n', "content_type": "application/x-ndjson"},
        {"path": "/predict/say/x%79zzy"},
        {"path": "/predict/say%20xyzzy"},
    ],
)
def test_every_string_of_a_request_is_guarded(gateway, request_) -> None:
    """Path, query, form, values, keys, escapes, plain text: nothing forbidden gets through."""
    request_ = {"path": "/predict/x"} | request_
    reply = gateway.client.post(headers=gateway.headers, **request_)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert not gateway.simulator.requests


def test_json_with_two_readings_is_refused(gateway) -> None:
    """What the guardrails saw is what is sent, so a key that stands twice goes nowhere."""
    reply = gateway.client.post(
        "/predict/x", data=b'{"a": "fine", "a": "xyzzy"}', headers=gateway.headers
    )
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "invalid_json")


def test_an_answer_is_guarded_too(gateway) -> None:
    """A forbidden word in the target's answer is kept back."""
    gateway.simulator.faults["model-a"] = "say=xyzzy"
    reply = gateway.client.post(
        "/predict/chat/completions", json=chat("Hi"), headers=gateway.headers
    )
    assert reply.status_code == 403


def test_a_caller_who_leaves_ends_the_call_to_the_target(gateway) -> None:
    """Within a second; the row says who left, and where the call went."""
    gateway.simulator.faults["model-a"] = "latency=10"
    arrival = Arrival()
    leaving = threading.Timer(0.3, arrival.leave)
    leaving.start()
    began = time.monotonic()
    reply = gateway.client.post(
        "/predict/chat/completions",
        json=chat("Hi"),
        headers=gateway.headers,
        environ_overrides={"gateway.disconnected": arrival},
    )
    assert (reply.status_code, time.monotonic() - began < 1.3) == (499, True)
    (row,) = gateway.rows()
    (attempt,) = row["attempts"]
    assert attempt["error"] == "client_closed_request"
    assert attempt["endpoint"].endswith("/endpoints/model-a/v1")


def test_the_targets_own_errors_come_back(gateway) -> None:
    """A status of the target is the caller's to see; a plain GET has no body to guard."""
    reply = gateway.client.get("/predict/nothing", headers=gateway.headers)
    assert reply.status_code == 404
    assert gateway.client.get("/predict/models", headers=gateway.headers).status_code == 200


@pytest.mark.parametrize("path", ["/predict/../secret", "/predict/%2e%2e/secret"])
def test_no_path_leaves_the_target(gateway, path) -> None:
    """Dot segments do not climb out of the target's own path."""
    reply = gateway.client.get(path, headers=gateway.headers)
    assert reply.status_code in (400, 404)
    assert not gateway.simulator.requests


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"headers": {"content-encoding": "gzip"}, "data": b"\x1f\x8b"}, "gzip"),
        ({"content_type": "text/plain; charset=utf-7", "data": b"+AHg-yzzy"}, "utf-7"),
        ({"content_type": 'text/plain; charset=utf-8; Charset="UTF-16"', "data": b"x"}, "UTF-16"),
        ({"data": b'\xef\xbb\xbf{"a": "\\u0078yzzy"}', "content_type": "text/plain"}, "not JSON"),
        ({"data": '{"a": "xyzzy"}'.encode("utf-16"), "content_type": "text/plain"}, "not UTF-8"),
        ({"data": '{"a": "x"}'.encode("utf-16-le"), "content_type": "text/plain"}, "not JSON"),
        ({"data": b'{}\n{"a": 1, "a": 2}', "content_type": "application/x-ndjson"}, "stands twice"),
        ({"data": DEEP}, "deeper"),
        ({"data": b"q=" + DEEP, "content_type": "application/x-www-form-urlencoded"}, "deeper"),
    ],
)
def test_what_cannot_be_read_is_not_passed_on(gateway, request_, said) -> None:
    """A compressed body, a foreign encoding and bottomless nesting would hide what they say."""
    request_ = request_ | {"headers": gateway.headers | request_.get("headers", {})}
    reply = gateway.client.post("/predict/x", **request_)
    assert reply.status_code == 400
    assert said in reply.json["error"]["message"]
    assert not gateway.simulator.requests


@pytest.mark.parametrize(
    "data", [b'"quoted" words', b"\x00\x01\xff", "gr\u00fc\u00df".encode("latin-1")]
)
def test_bodies_that_are_no_json_are_passed_on_as_they_came(data) -> None:
    """What only looks a little like JSON, or is no text at all, is guarded and not changed."""
    event = Event("0", Route(path="/predict"), "POST", "/predict", 0.0, body=data)
    assert question(event).data == data


def test_lines_of_json_are_passed_on_line_by_line() -> None:
    """A bulk request keeps its lines, each serialised from the value that was guarded."""
    event = Event(
        "0",
        Route(path="/bulk"),
        "POST",
        "/bulk",
        0.0,
        headers={"content-type": "application/x-ndjson; charset=utf-8"},
        body=b'{"index": {"_id": 1}}\r\n\n{"text": "a\\u0062"}',
    )
    found = question(event)
    assert found.data == b'{"index":{"_id":1}}\n{"text":"ab"}\n'
    assert {text.text for text in found.texts} == {"index", "_id", "text", "ab"}


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"a": "\\u0078"}', ["x", "a"]),
        (b'{"a": "\\u0078", "a": 1}', ['{"a": "\\u0078", "a": 1}', "a", "a", "x"]),
        (b"plain", ["plain"]),
        (b"", [""]),
        (DEEP, [DEEP.decode()]),
        (b'["\\ud800"]', ['["\\ud800"]', "?"]),
    ],
)
def test_an_answer_is_read_whatever_it_is(body, texts) -> None:
    """Of JSON with two readings both are guarded, and what is no JSON as text; none is refused."""
    found = answer_of(RawReply(200, {"content-type": "text/x"}, body, 0.0, 0.0))
    assert found.data == body
    assert sorted(text.text for text in found.texts) == sorted(texts)


@pytest.mark.parametrize("privacy", ["none", "hashed"])
def test_a_private_record_has_no_path_below(start, simulator, privacy) -> None:
    """What stands below the path is a text of the caller's, as the guardrails take it."""
    target = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    gateway = start(ROUTE.format(target=target) + f"    privacy: {privacy}\n", policies=POLICIES)
    gateway.client.post("/predict/people/jane-doe", json={}, headers=gateway.headers)
    (row,) = gateway.rows()
    assert row["path"] == "/predict"
    assert "jane-doe" not in str(row)
