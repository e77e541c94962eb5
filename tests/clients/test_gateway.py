"""What only the gateway does, as an official client sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records, to_rows
from tests.clients.conftest import ENDLESS, KEY, QUESTION, SILENT, fails

openai = pytest.importorskip("openai", reason="make test runs it in .venv-clients")


@pytest.fixture
def connect(gateway_url: str) -> Iterator[Callable[..., Any]]:
    """Makes a client of one of the gateway's base URLs, which does not try again."""
    clients = []

    def made(base: str = "/v1", **options: Any) -> Any:
        options = {"api_key": KEY, "max_retries": 0, **options}
        clients.append(openai.OpenAI(base_url=gateway_url + base, **options))
        return clients[-1]

    yield made
    for client in clients:
        client.close()


def ask(client: Any, text: str = QUESTION, **fields: object) -> Any:
    """One question to the default model."""
    said = [{"role": "user", "content": text}]
    return client.chat.completions.create(
        **{"model": "model-a", "messages": said, "max_tokens": 2000, **fields}
    )


def test_the_model_may_be_left_to_the_gateway(connect: Any) -> None:
    """``auto`` is answered by whom the routing chose, whom the answer names."""
    said = [{"role": "user", "content": QUESTION}]
    reply = connect().chat.completions.with_raw_response.create(model="auto", messages=said)
    chosen = reply.headers["x-gateway-model"]
    assert (reply.parse().model, chosen in ("model-a", "claude", "crossed")) == (chosen, True)


def test_what_is_forbidden_is_a_permission_error(connect: Any) -> None:
    """A guardrail's refusal is the client's own exception, with its code."""
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(connect(), "say xyzzy")
    assert (caught.value.code, bool(caught.value.request_id)) == ("policy_violation", True)


def test_the_callers_own_limit_is_a_rate_limit_error(connect: Any) -> None:
    """Past it the client learns when to come again."""
    client = connect("/limited/v1")
    ask(client)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.code == "rate_limit_exceeded"
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60


def test_a_bad_request_is_told_with_its_parameter(connect: Any) -> None:
    """The exception says which one, before any model was asked."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(connect(), stream="yes")
    assert caught.value.param == "stream"


@pytest.mark.parametrize(
    ("path", "beat"),
    [
        ("chat/completions", b": ping\n\n"),
        ("messages", b'event: ping\ndata: {"type": "ping"}\n\n'),
    ],
)
def test_a_silent_stream_is_kept_alive(gateway_url: str, path: str, beat: bytes) -> None:
    """By what the API's clients pass over, between whole events."""
    said = [{"role": "user", "content": SILENT}]
    body = {"model": "claude", "messages": said, "max_tokens": 99, "stream": True}
    headers = {"x-api-key": KEY}
    reply = httpx.post(f"{gateway_url}/v1/{path}", json=body, headers=headers, trust_env=False)
    events = reply.content.split(b"\n\n")
    assert events.count(beat.strip()) > 3
    assert b"".join(events).count(beat.strip()) == events.count(beat.strip())


def test_who_leaves_is_recorded(connect: Any, gateway_data: Path, tmp_path: Path) -> None:
    """As 499, in mid-stream and before the answer, within the time that a record takes."""
    client = connect(timeout=0.5)
    with ask(client, f"plugh {ENDLESS}", stream=True) as stream:
        next(iter(stream))
    with pytest.raises(openai.APITimeoutError):
        ask(client, f"plugh {fails('latency=30')}")
    records = Records.open(str(gateway_data), tmp_path, SystemClock(), background=False)
    end, rows = time.monotonic() + 10, []
    while len(rows) < 2 and time.monotonic() < end:
        time.sleep(0.2)
        rows = [row for row in to_rows(records.scan("requests")) if "plugh" in (row["input"] or "")]
    assert [(row["status"], row["error"]) for row in rows] == [(499, "client_closed_request")] * 2
    assert all(row["latency_ms"] < 2000 for row in rows)
