"""Latency and faults on request: how they are asked for, and what the caller then sees."""

import json
import time
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.simulator import Simulator, faults
from tests.simulator.conftest import Client, connect

QUESTION = "What is a Finite State Machine?"


def seconds(since: float) -> float:
    """How long ago ``since`` was."""
    return time.monotonic() - since


@pytest.mark.parametrize(
    ("directive", "status", "content_type", "body"),
    [
        ("status=429; retry-after=2", 429, "application/json", '"type":"RateLimitError"'),
        ("status=500", 500, "application/json", '"type":"InternalServerError"'),
        ("status=500-flat", 500, "application/json", '{"object":"error","message":'),
        ("status=418", 418, "application/json", '"type":"I\'maTeapotError"'),
        ("status=503-text", 503, "text/plain", "context deadline exceeded"),
        ("status=504-text", 504, "text/plain", "activator request timeout"),
        ("status=508-text", 508, "text/plain", "Loop Detected"),
        ("status=529", 529, "application/json", '"type":"UnknownError"'),
        ("status=302", 302, "application/json", "302"),
        ("html", 200, "text/html", "<title>Sign in</title>"),
        ("error-200", 200, "application/json", '{"error":{'),
    ],
)
def test_replies_that_fail(
    shared: Client, directive: str, status: int, content_type: str, body: str
) -> None:
    """A failure has the status and the kind of body asked for, and says that it is simulated."""
    reply = shared.ask(QUESTION, headers={"x-simulate": directive})
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith(content_type)
    assert reply.headers["x-gateway-simulated"] == "true"
    assert body in reply.text


def test_retry_after_and_location(shared: Client) -> None:
    """A 429 says when to come back, a redirect where to go."""
    limited = shared.ask(QUESTION, headers={"x-simulate": "status=429; retry-after=2"})
    moved = shared.ask(QUESTION, headers={"x-simulate": "status=302"})
    assert limited.headers["retry-after"] == "2"
    assert moved.headers["location"] == "/login"


def test_four_ways_to_ask(simulator: Simulator, client: Client) -> None:
    """The message's end goes before the header, that before the path, that before the mapping."""
    simulator.faults["model-a"] = "status=501"
    path = client.path().replace("/v1", "/simulate/status=502;%20retry-after=1/v1")
    header = {"x-simulate": "status=503"}
    message = client.body(f"{QUESTION} [[simulate status=504]]")
    plain = client.body(QUESTION)

    def status(path: str, body: object, headers: dict[str, str] | None = None) -> int:
        url = f"{path}/chat/completions"
        return client.http.post(url, json=body, headers=headers).status_code

    assert status(path, message, header) == 504
    assert status(path, plain, header) == 503
    assert status(path, plain) == 502
    assert status(client.path(), plain) == 501
    del simulator.faults["model-a"]
    assert status(client.path(), plain) == 200


def test_a_directive_in_the_message_is_not_part_of_the_question(shared: Client) -> None:
    """What asks for a fault changes the question's answer in nothing but the draw."""
    body = shared.ask(f"{QUESTION}  [[simulate latency=0]] ").json()
    assert "finite set of states" in body["choices"][0]["message"]["content"]
    assert "[[simulate status=500]] first" in shared.says("[[simulate status=500]] first then")


@pytest.mark.parametrize(
    "directive",
    [
        "explode",
        "status=200",
        "status=600",
        "status=x",
        "status=500-xml",
        "hang=soon",
        "hang=nan",
        "hang",
        "latency=-1",
        "latency=601",
        "cut=off",
        "html=yes",
        "times=-1",
        "tokens=1000000",
        "reasoning=aloud",
        "retry-after=\x7f",
    ],
)
def test_what_cannot_be_read_is_refused(shared: Client, directive: str) -> None:
    """A directive that nobody knows is a 400 that says so, never ignored."""
    reply = shared.ask(f"{QUESTION} [[simulate {directive}]]")
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("x-simulate: ")


def test_times_lets_the_fault_end(simulator: Simulator, client: Client) -> None:
    """A fault with ``times`` strikes so often and then no more, each model for itself."""
    simulator.faults |= {"model-a": "status=503-text; times=2", "model-b": "status=500; times=1"}
    assert [client.ask(QUESTION).status_code for _ in range(3)] == [503, 503, 200]
    assert [client.ask(QUESTION, "model-b").status_code for _ in range(2)] == [500, 200]


def test_say_makes_a_model_say_it(shared: Client) -> None:
    """``say`` replaces a model's answer, a judge's verdict too."""
    for model in ("model-a", "judge"):
        body = shared.body(QUESTION, model)
        said = shared.post(body, model, headers={"x-simulate": "say=I would rather not."}).json()
        assert said["choices"][0]["message"]["content"] == "I would rather not."


def test_latency_comes_before_the_status(simulator: Simulator, client: Client) -> None:
    """Latency delays the status line; the simulator's own is added to what is asked for."""
    simulator.latency = 0.1
    start = time.monotonic()
    body = client.body(f"{QUESTION} [[simulate latency=0.1]]")
    with client.http.stream("POST", f"{client.path()}/chat/completions", json=body):
        assert seconds(start) >= 0.2


def test_latency_spares_other_paths(simulator: Simulator, client: Client) -> None:
    """The simulator's own latency is that of a completion, not of the health check."""
    simulator.latency = 5
    start = time.monotonic()
    client.http.get(f"{client.path()}/health/ready")
    assert seconds(start) < 1


def test_slow_first_byte_comes_after_the_headers(shared: Client) -> None:
    """A slow first byte is one of the body: status and headers are there at once."""
    body = shared.body(f"{QUESTION} [[simulate slow-first-byte=0.3]]", stream=True)
    start = time.monotonic()
    with shared.http.stream("POST", f"{shared.path()}/chat/completions", json=body) as reply:
        headers_after = seconds(start)
        next(reply.iter_raw())
        assert headers_after < 0.25 <= seconds(start)


@pytest.mark.parametrize("stream", [False, True])
def test_drip_sends_a_byte_at_a_time(shared: Client, *, stream: bool) -> None:
    """A dripping body takes its time and is whole at the end."""
    body = shared.body("Hi [[simulate drip=0.001; say=OK]]", stream=stream)
    start = time.monotonic()
    reply = shared.post(body)
    assert seconds(start) > 0.001 * len(reply.content)
    assert "OK" in reply.text


def test_hang_ends_without_an_answer(shared: Client) -> None:
    """A hanging endpoint says nothing, and closes the connection in the end."""
    start = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        shared.ask(QUESTION, headers={"x-simulate": "hang=0.2"})
    assert seconds(start) >= 0.2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", ["after-headers", "mid-body", "mid-utf8"])
def test_cut_ends_before_the_end(shared: Client, where: str, *, stream: bool) -> None:
    """A cut reply has its status and headers, a part of its body, and no end, unannounced."""
    body = shared.body(f"{QUESTION} [[simulate cut={where}]]", stream=stream)
    chunks: list[bytes] = []
    with shared.http.stream("POST", f"{shared.path()}/chat/completions", json=body) as reply:
        assert reply.status_code == 200
        assert "connection" not in reply.headers
        with pytest.raises(httpx.RemoteProtocolError):
            chunks.extend(reply.iter_raw())
    got = b"".join(chunks)
    assert bool(got) == (where != "after-headers")
    assert b"[DONE]" not in got
    if where == "mid-utf8":
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            got.decode()


def test_cut_in_mid_utf8_of_a_body_without_such_a_character(shared: Client) -> None:
    """A body that is all ASCII is cut in the middle instead."""
    with pytest.raises(httpx.RemoteProtocolError):
        shared.ask(QUESTION, headers={"x-simulate": "cut=mid-utf8; status=500"})


def test_late_error_in_a_stream(shared: Client) -> None:
    """A late error follows some chunks, under a status of 200."""
    reply = shared.ask(f"{QUESTION} [[simulate late-error]]", stream=True)
    *chunks, error, done = [event[6:] for event in reply.text.split("\n\n") if event]
    assert len(chunks) > 1
    assert json.loads(error)["error"]["code"] == 500
    assert done == "[DONE]"


def test_no_done_and_ping_comments(shared: Client) -> None:
    """A stream may lack its end mark, or hold comments between its events."""
    reply = shared.ask(f"{QUESTION} [[simulate no-done; ping-comments]]", stream=True)
    events = [event for event in reply.text.split("\n\n") if event]
    assert "data: [DONE]" not in events
    assert events[::2] == [": ping"] * (len(events) // 2)
    assert all(event.startswith("data: {") for event in events[1::2])


@pytest.mark.parametrize("directive", ["late-error", "no-done", "ping-comments"])
def test_stream_faults_leave_a_plain_reply_alone(shared: Client, directive: str) -> None:
    """What concerns streams does nothing to a plain completion."""
    assert shared.ask(QUESTION, headers={"x-simulate": directive}).json()["choices"]


def test_the_constructor_takes_faults() -> None:
    """Faults can be there from the start."""
    with Simulator(faults={"judge": "status=500"}).start() as simulator:
        client = connect(simulator)
        with client.http:
            assert client.ask(QUESTION, "judge").status_code == 500
            assert client.ask(QUESTION).status_code == 200


def test_fired_faults_are_forgotten_in_time(simulator: Simulator, client: Client) -> None:
    """The memory of faults with ``times`` is bounded; a fault then strikes anew."""
    header = {"x-simulate": "status=500; times=1"}
    assert [client.ask("Hi", headers=header).status_code for _ in range(2)] == [500, 200]
    simulator._fired.update({("model-a", str(n)): 1 for n in range(10_001)})
    assert client.ask("Hi", headers=header).status_code == 500


@given(st.text())
def test_any_directive_is_read_or_refused(directive: str) -> None:
    """Whatever is asked for, it is a fault or a ValueError."""
    with suppress(ValueError):
        assert isinstance(faults.parse(directive), faults.Fault)


@given(latency=st.floats(0, 600), status=st.integers(400, 599), html=st.booleans())
def test_directives_combine(latency: float, status: int, *, html: bool) -> None:
    """The parts of a directive are read each for itself, in any spacing."""
    directive = f" latency={latency!r};status={status} ;; {'html' if html else ''}"
    assert faults.parse(directive) == faults.Fault(latency=latency, status=status, html=html)
