"""What means the same is found again, and Redis shares what is kept."""

import subprocess
import time
from dataclasses import replace

import pytest

from ai_gateway.answer.embedding import _numbers
from ai_gateway.hosting import Current
from ai_gateway.service import Service
from runner import application
from tests.cache.asking import ROUTES, ask, outcome


def test_a_question_that_means_the_same_is_answered_again(gateway) -> None:
    """With how similar it was; the embedding has a record of its own, which holds its cost."""
    first = ask(gateway, "What is a Finite State Machine?", path="/similar")
    second = ask(gateway, "What is a Finite State Machine in computing?", path="/similar")
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert first.json == second.json
    assert outcome(ask(gateway, "What is a Markov Decision Process?", path="/similar")) == "miss"
    rows = gateway.rows()
    hit = next(row for row in rows if row["selection"] == "cache")
    assert 0.8 <= hit["similarity"] < 1
    assert hit["overhead_ms"] < hit["latency_ms"]
    embedded = [row for row in rows if row["surface"] == "cache"]
    assert len(embedded) == 3
    for row in embedded:
        assert (row["served"], row["privacy"], row["input"]) == ("embedder", "none", None)
        assert row["cost"] > 0


def test_where_meaning_is_not_enough_nothing_is_embedded(gateway) -> None:
    """With tools only the very same request is."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    replies = [ask(gateway, path="/similar", tools=tools) for _ in range(2)]
    assert [outcome(reply) for reply in replies] == ["miss", "hit"]
    assert not [row for row in gateway.rows() if row["surface"] == "cache"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", {}, {"data": []}, {"data": [{}]}, {"data": [1]}, {"data": [{"embedding": "AAA="}]}),
        {"data": [{"embedding": ["a"]}]},
        {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]},
        {"data": [{"embedding": [0.0] * 16_385}]},
    ],
)
def test_what_is_no_vector_is_none(body) -> None:
    """Whatever a model says to be an embedding."""
    assert _numbers(body) == ()
    assert _numbers({"data": [{"embedding": [1, 0.5]}]}) == (1.0, 0.5)


@pytest.mark.parametrize("fault", ["status=500", "hang=10", "error-200"])
def test_an_embeddings_model_that_fails_is_a_miss(begin, fault) -> None:
    """And no request's failure, nor a long wait; the very same question is found without it."""
    routes = ROUTES.replace("threshold: 0.8}}", "threshold: 0.8}}\n    timeout: 3s")
    gateway = begin(routes)
    gateway.simulator.faults["embedder"] = fault
    began = time.monotonic()
    replies = [ask(gateway, path="/similar") for _ in range(2)]
    assert [outcome(reply) for reply in replies] == ["miss", "hit"]
    assert time.monotonic() - began < 3


def test_redis_holds_what_all_processes_answer(begin, redis_url) -> None:
    """A second gateway finds what the first kept; what others wrote there is a miss."""
    gateway = begin(GATEWAY_STATE=redis_url)
    assert [outcome(ask(gateway)) for _ in range(2)] == ["miss", "hit"]
    mine = gateway.service.settings
    other = Service(replace(mine, data=f"{mine.data}-2", wal=mine.wal.parent / "wal-2"))
    try:
        app = application(other.snapshot(gateway.snapshot.bundle))
        app.wsgi_app = Current(app.wsgi_app)  # type: ignore[method-assign] # as the server calls it
        assert outcome(ask(replace(gateway, client=app.test_client()))) == "hit"
    finally:
        other.close()
    port = redis_url.rpartition(":")[2].partition("/")[0]
    keys = subprocess.run(
        ["redis-cli", "-p", port, "--scan", "--pattern", "ai-gateway:cache:*"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert keys
    for written in ("{}", '{"model": "m", "body": {"choices": [1]}, "stored_at": 1.0}'):
        for key in keys:
            subprocess.run(
                ["redis-cli", "-p", port, "set", key, written], check=True, capture_output=True
            )
        assert outcome(ask(gateway)) == "miss"


def test_a_redis_that_is_away_fails_no_request(begin) -> None:
    """Every look-up is a miss."""
    gateway = begin(GATEWAY_STATE="redis://127.0.0.1:1/0")
    replies = [ask(gateway, stream=stream) for stream in (False, True, False)]
    assert [reply.status_code for reply in replies] == [200] * 3
    assert {outcome(reply) for reply in replies} == {"miss"}
