"""A route that declares a cache gives an answer again, to the same request and to no other."""

import json
import subprocess
import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.answer.cached import Caching
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.embedding import _numbers
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Decision
from ai_gateway.answer.route import pinned
from ai_gateway.answer.streamed import Held
from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.cache.caches import Caches
from ai_gateway.cache.declared import Cache
from ai_gateway.contract import Caller, Event
from ai_gateway.hosting import Current
from ai_gateway.manifest.model import Manifest, Model, Route
from ai_gateway.metrics import Metrics
from ai_gateway.service import Service
from runner import application
from tests.cache.test_replay import ANSWERS, FORMATS
from tests.gateway.test_stream import events, said
from tests.resilience.moving import MovingClock

MODELS = """
  embedder:
    url: ${EMBEDDER_URL}
    model_id: simulated/embedder
    credentials: {token: anything}
    price: {input: 0.1, output: 0}
  claude:
    url: ${ANTHROPIC_URL}
    model_id: claude-simulated
    dialect: anthropic
    credentials: {token: anything}
    price: {input: 3, output: 15}
"""
ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a, model-b, claude]}
    cache: {ttl: 1h}
  - path: /v1/messages
    function: functions.v1.messages:handle
    auth: api-key
    errors: anthropic
    routing: {models: [model-a, claude]}
    cache: {ttl: 1h}
  - path: /v1/responses
    function: functions.v1.responses:handle
    auth: api-key
    routing: {models: [model-a]}
    cache: {}
  - path: /v1/completions
    function: functions.v1.completions:handle
    auth: api-key
    routing: {models: [model-a]}
    cache: {}
  - {path: /v1/embeddings, function: "functions.v1.embeddings:handle", auth: api-key, cache: {}}
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    privacy: none
    routing: {models: [model-a]}
    cache: {always: true}
  - path: /similar
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a]}
    cache: {semantic: {model: embedder, threshold: 0.8}}
  - path: /off
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a]}
"""
POLICIES = {
    "words": """
version: 1
name: words
checks:
  - {name: asked, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
  - {name: said, type: phrases, stages: [output], action: block, phrases: [plugh]}
"""
}


@pytest.fixture
def begin(start, simulator):
    """Starts a gateway with every surface behind a cache."""

    def run(routes=ROUTES, policies=None, **changed):
        base = f"{simulator.url}/namespaces/serving-default/endpoints/embedder/v1"
        urls = {"EMBEDDER_URL": base, "ANTHROPIC_URL": f"{simulator.url}/anthropic/v1"}
        return start(routes, policies=policies, models=MODELS, **urls, **changed)

    return run


@pytest.fixture
def gateway(begin):
    """In memory, without policies."""
    return begin()


def post(gateway, path, body, headers=None):
    """A request whose answer is read to its end."""
    sent = {**gateway.headers, **(headers or {})}
    reply = gateway.client.post(path, json=body, headers=sent)
    reply.get_data()
    return reply


def ask(gateway, text="What is GRPO?", path="/v1/chat/completions", headers=None, **body):
    """A question whose answer is always the same."""
    body = {"model": "model-a", "temperature": 0, **body}
    body.setdefault("messages", [{"role": "user", "content": text}])
    return post(gateway, path, body, headers)


def outcome(reply):
    """What the cache had to say."""
    return reply.headers.get("x-gateway-cache")


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
    assert outcome(ask(gateway, headers={"cache-control": "no-store"})) is None
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


MANIFEST = Manifest(models={"m": Model(url="http://m/v1", model_id="m")})


def caching(clock, **declared):
    """The stage alone, and a way to ask it: whether a model was asked."""
    stage = Caching(
        MANIFEST,
        places(MANIFEST.models),
        ("a", "b"),
        Caches.of("memory://", clock),
        None,
        Metrics(),
        clock,
    )
    route = Route(path="/r", name="r", cache=Cache(**declared))

    def asked(
        body, tenant="default", form="chat", guardrails=None, headers=None, **fresh_one
    ) -> bool:
        event = Event(
            request_id="1",
            route=route.model_copy(update={"guardrails": guardrails}),
            method="POST",
            path="/r",
            received_at=0.0,
            headers=headers or {},
            caller=Caller(id="c", scheme="none", tenant=tenant),
        )
        decision = Decision(event)
        asked = []

        def fresh() -> Answer:
            asked.append(body)
            decision.choice, decision.served = pinned("m", UNJUDGED), "m"
            decision.finish_reason = fresh_one.get("finish", "stop")
            if "chunks" in fresh_one:
                return Answer("m", chunks=Held(fresh_one["chunks"]))
            return Answer("m", "text", fresh_one.get("answer", ANSWERS[form]))

        stream = "chunks" in fresh_one
        call = Call(event, form, body, "m", FORMATS[form], stream=stream)
        found = stage.answer(call, decision, fresh)
        for _ in found.chunks or ():
            pass
        return bool(asked)

    return asked


BODY = {"temperature": 0, "messages": [{"role": "user", "content": "Hi"}]}
VALUES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"])
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "tenant": st.sampled_from(["default", "other", "default "]),
        "form": st.sampled_from(["chat", "messages"]),
        "guardrails": st.sampled_from([None, (), ("p",), ("p", "q"), ("all",)]),
        "headers": st.sampled_from([{}, {"x-other": "1"}]),
        "body": st.fixed_dictionaries(
            {},
            optional={
                "messages": st.sampled_from(
                    [
                        [{"role": "system", "content": said}, {"role": "user", "content": "Hi"}]
                        for said in ("Hi", "Ho")
                    ]
                ),
                "tools": st.sampled_from(
                    [[{"type": "function", "function": {"name": name}}] for name in "ab"]
                ),
                **dict.fromkeys(
                    (
                        *("tool_choice", "response_format", "top_p", "top_k", "seed", "stop"),
                        *("max_tokens", "logit_bias", "presence_penalty", "system", "thinking"),
                    ),
                    VALUES,
                ),
            },
        ),
    },
)


def parts(changed) -> str:
    """What walls a request in, as text; what it has no value for is as if it were not there."""
    walls = {"tenant": "default", "form": "chat", "guardrails": None, "body": {}, **changed}
    walls.pop("headers", None)
    return json.dumps({**walls, "body": {**BODY, **walls["body"]}}, sort_keys=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, min_size=2, max_size=8))
def test_requests_that_differ_in_any_part_never_share(requests) -> None:
    """Tenant, format, policies, system prompt, tools, format and parameters are walls."""
    asked, known = caching(MovingClock()), set()
    for changed in requests:
        body = {**BODY, **changed.get("body", {})}
        more = {k: v for k, v in changed.items() if k != "body"}
        assert asked(body, **more) is (parts(changed) not in known)
        known.add(parts(changed))


def test_headers_that_are_passed_on_are_a_wall() -> None:
    """A beta of Anthropic's changes what it answers."""
    asked = caching(MovingClock())
    body = {**BODY, "max_tokens": 5}
    assert asked(body, form="messages")
    for name in FORMATS["messages"].headers:
        assert asked(body, form="messages", headers={name: "2099-01-01"})
        assert not asked(body, form="messages", headers={name: "2099-01-01"})
    assert not asked(body, form="messages")


def test_what_is_not_worth_it_is_not_kept() -> None:
    """What a filter cut, what is too large, and a stream that cannot be put together."""
    asked = caching(MovingClock())
    large = {**ANSWERS["chat"], "padding": "x" * 1_000_000}
    sound = [{"choices": [{"index": 0, "delta": {"audio": {}}, "finish_reason": "stop"}]}]
    for poor in ({"finish": "content_filter"}, {"answer": large}, {"chunks": sound}):
        assert asked(BODY, **poor)
    assert asked(BODY)
    assert not asked(BODY)


def test_time_runs_out() -> None:
    """After ``ttl`` a model is asked again."""
    clock = MovingClock()
    asked = caching(clock, ttl="10s")
    assert [asked(BODY), asked(BODY)] == [True, False]
    clock.sleep(10.1)
    assert asked(BODY)
