"""A route that declares a cache gives an answer again, to the same request and to no other."""

import json
from random import Random

import pytest

from tests.cache.asking import ROUTES, ask, outcome, post
from tests.cache.test_replay import FORMATS
from tests.gateway.test_stream import events, said

POLICIES = {
    "words": """
version: 1
name: words
checks:
  - {name: asked, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
  - {name: said, type: phrases, stages: [output], action: block, phrases: [plugh]}
"""
}


def test_the_same_request_is_answered_again(gateway) -> None:
    """Without a model, and the record says so: what it saved, whose answer it is, no cost."""
    first = ask(gateway)
    second = ask(gateway)
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert second.json == first.json
    assert second.headers["x-gateway-decision"] == "cache"
    assert second.headers["x-gateway-model"] == "model-a"
    assert second.headers["age"] == "0"
    assert "age" not in first.headers
    assert "x-upstream-request-id" in first.headers
    assert "x-upstream-request-id" not in second.headers
    miss, hit = gateway.rows()
    assert (miss["cache"], miss["similarity"], miss["saved"]) == ("miss", None, None)
    assert (hit["selection"], hit["cache"], hit["similarity"]) == ("cache", "hit", 1.0)
    assert (hit["cost"], hit["saved"], hit["usage"]) == (0.0, miss["cost"], None)
    assert (hit["served"], hit["chosen"], hit["attempts"]) == ("model-a", None, [])
    assert hit["answered_before"] == miss["request_id"]
    assert hit["output"] == miss["output"]
    assert hit["response_digest"] == miss["response_digest"]
    assert hit["simulated"]
    exposed = gateway.snapshot.context.metrics.expose().decode()
    assert 'ai_gateway_cache_total{outcome="hit",route="v1-chat-completions"} 1.0' in exposed


def test_a_hit_is_no_new_answer_to_judge(gateway) -> None:
    """The model's answer is judged once, and its latency is its own."""
    for _ in range(3):
        ask(gateway)
    gateway.service.records.flush()
    found = gateway.service.records.unjudged("p", since=0, limit=9, random=Random(1))
    assert (found.due, found.forbidden) == (1, 0)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_streams_and_whole_answers_fill_the_same_place(gateway, first, second) -> None:
    """Whichever was asked for before; the words and the usage are the same."""
    options = {"stream_options": {"include_usage": True}}
    replies = [ask(gateway, stream=stream, **options) for stream in (first, second)]
    assert [outcome(reply) for reply in replies] == ["miss", "hit"]
    found = []
    for reply in replies:
        if reply.headers["content-type"].startswith("text/event-stream"):
            *chunks, end = events(reply)
            assert end == "[DONE]"
            found.append((said([*chunks, end]), chunks[-1]["usage"], chunks[0]["id"]))
        else:
            words = reply.json["choices"][0]["message"]["content"]
            found.append((words, reply.json["usage"], reply.json["id"]))
    assert found[0] == found[1]


@pytest.mark.parametrize("model", ["model-a", "claude"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"max_tokens": 100}),
        ("/v1/messages", {"max_tokens": 100}),
    ],
)
def test_translated_answers_are_kept_as_the_caller_got_them(gateway, model, path, body) -> None:
    """Whole and streamed, with a tool's arguments."""
    function = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    schema = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
    tool = {"type": "function", "function": function} if "chat" in path else schema
    required = {"type": "function", "function": {"name": "weather"}}
    choice = required if "chat" in path else {"type": "tool", "name": "weather"}
    for more in ({}, {"tools": [tool], "tool_choice": choice}):
        streamed = ask(gateway, path=path, model=model, stream=True, **body, **more)
        assert outcome(streamed) == "miss", streamed.text
        whole = ask(gateway, path=path, model=model, **body, **more)
        again = ask(gateway, path=path, model=model, stream=True, **body, **more)
        fresh = ask(
            gateway, path=path, model=model, headers={"cache-control": "no-cache"}, **body, **more
        )
        assert (outcome(whole), outcome(again), outcome(fresh)) == ("hit", "hit", "miss")
        read = FORMATS["messages" if "messages" in path else "chat"].read
        assert (read(whole.json).text, read(whole.json).usage.output) == (
            read(fresh.json).text,
            read(fresh.json).usage.output,
        )
        assert read(whole.json).finish_reason == read(fresh.json).finish_reason
    assert {row["status"] for row in gateway.rows()} == {200}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"input": "What is GRPO?"}),
        ("/v1/completions", {"prompt": "What is GRPO?"}),
    ],
)
def test_other_surfaces_are_kept_too(gateway, path, body) -> None:
    """A stream first, then the whole answer, then a stream."""
    sent = {"model": "model-a", "temperature": 0, **body}
    replies = [post(gateway, path, {**sent, "stream": stream}) for stream in (True, False, True)]
    assert [outcome(reply) for reply in replies] == ["miss", "hit", "hit"]
    whole = json.dumps(replies[1].json)
    assert "GRPO" in whole
    assert all("GRPO" in reply.text for reply in replies)


def test_embeddings_are_kept_at_any_temperature(gateway) -> None:
    """They are computed; a stream of them is refused as ever."""
    body = {"model": "embedder", "input": ["What is GRPO?"]}
    replies = [post(gateway, "/v1/embeddings", body) for _ in range(2)]
    assert [outcome(reply) for reply in replies] == ["miss", "hit"]
    assert replies[0].json == replies[1].json
    streamed = {**body, "stream": True}
    reply = post(gateway, "/v1/embeddings", streamed)
    assert reply.status_code == 400


def test_privacy_holds_for_hits(gateway) -> None:
    """A record keeps no more of one than of a miss; /inference answers as ever."""
    first, second = gateway.ask("What is GRPO?"), gateway.ask("What is GRPO?")
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert first.json["output"] == second.json["output"]
    assert [(row["input"], row["output"]) for row in gateway.rows()] == [(None, None)] * 2


CHANGES = {
    "model": "model-b",
    "messages": [{"role": "user", "content": "What is GRPO??"}],
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "none",
    "response_format": {"type": "json_object"},
    "max_tokens": 7,
    "top_p": 0.5,
    "seed": 1,
    "stop": ["x"],
    "presence_penalty": 1,
    "frequency_penalty": 1,
    "logit_bias": {"1": 1},
    "logprobs": True,
    "reasoning_effort": "low",
    "a_parameter_of_tomorrow": 1,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs_is_another_request(gateway, name) -> None:
    """Of the model, the words, the tools, the format and every sampling parameter."""
    ask(gateway)
    assert outcome(ask(gateway, **{name: CHANGES[name]})) == "miss"
    assert outcome(ask(gateway)) == "hit"


def test_a_model_that_is_chosen_is_another_request_than_one_that_is_named(gateway) -> None:
    """Under ``auto`` it is the route's to choose."""
    assert [outcome(ask(gateway, model=name)) for name in ("claude", "auto", "")] == [
        "miss",
        "miss",
        "hit",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 1},
        {"temperature": None},
        {"n": 2},
        {"store": True},
        {"tools": [{"type": "web_search"}]},
    ],
)
def test_what_has_no_one_answer_is_not_looked_for(gateway, body) -> None:
    """Nothing says so on the reply, and the record says off."""
    for _ in range(2):
        assert outcome(ask(gateway, **body)) is None
    assert {row["cache"] for row in gateway.rows()} == {"off"}


def test_a_caller_may_want_a_fresh_answer(gateway) -> None:
    """``no-cache`` asks a model, and the answer is kept; ``no-store`` leaves the cache alone."""
    for told in ("no-store", "private, No-Store"):  # in any letters: RFC 9111, 5.2
        assert outcome(ask(gateway, headers={"cache-control": told})) is None
    assert outcome(ask(gateway, headers={"cache-control": "no-cache"})) == "miss"
    assert outcome(ask(gateway)) == "hit"
    assert outcome(ask(gateway, headers={"cache-control": "no-cache"})) == "miss"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["status=500", "error-200", "cut=mid-body", "late-error=3"])
def test_a_failed_answer_is_not_kept(gateway, fault, stream) -> None:
    """Nor one that broke off."""
    gateway.simulator.faults["model-a"] = f"{fault}; times=1"
    ask(gateway, stream=stream)
    assert outcome(ask(gateway)) == ("hit" if fault == "late-error=3" and not stream else "miss")


def test_a_stream_that_nobody_read_to_its_end_is_not_kept(gateway) -> None:
    """The caller left."""
    body = {"model": "model-a", "temperature": 0, "stream": True}
    body["messages"] = [{"role": "user", "content": "What is GRPO?"}]
    reply = gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    next(iter(reply.response))
    reply.close()
    assert outcome(ask(gateway)) == "miss"


def test_an_answer_that_another_model_stood_in_for_is_not_kept(begin) -> None:
    """The chosen model may be back a moment later."""
    gateway = begin(
        ROUTES.replace("cache: {ttl: 1h}", "cache: {ttl: 1h}\n    fallback: {models: [model-b]}", 1)
    )
    gateway.simulator.faults["model-a"] = "status=500"
    assert outcome(ask(gateway)) == "miss"
    assert gateway.rows()[0]["served"] == "model-b"
    del gateway.simulator.faults["model-a"]
    assert outcome(ask(gateway)) == "miss"
    assert outcome(ask(gateway)) == "hit"


def test_the_guardrails_come_first_and_hold_for_what_is_kept(begin) -> None:
    """A refused request is not looked for; a refused answer is not kept, as a stream neither."""
    gateway = begin(policies=POLICIES)
    for _ in range(2):
        assert ask(gateway, "xyzzy").status_code == 403
    gateway.simulator.faults["model-a"] = "say=plugh"
    for stream in (False, True, False):
        assert ask(gateway, stream=stream).status_code == 403
    del gateway.simulator.faults["model-a"]
    replies = [ask(gateway, stream=stream) for stream in (True, False)]
    assert [outcome(reply) for reply in replies] == ["miss", "hit"]
    rows = sorted(gateway.rows(), key=lambda row: row["request_id"])
    assert [row["cache"] for row in rows] == ["off"] * 2 + ["miss"] * 4 + ["hit"]


def test_a_bundle_that_changed_begins_anew(gateway) -> None:
    """What was kept under other rules is not given under these."""
    ask(gateway)
    bundle = gateway.snapshot.bundle
    caching = gateway.snapshot.gateway._caching
    assert bundle.digest in caching.rules
    assert bundle.policies.digest in caching.rules
