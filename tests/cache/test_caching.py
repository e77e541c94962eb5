"""The stage alone: nothing that differs shares an answer, and nothing is kept too long."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.answer.cached import Caching
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Decision
from ai_gateway.answer.route import pinned
from ai_gateway.answer.streamed import Held
from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.cache.caches import Caches
from ai_gateway.cache.declared import Cache
from ai_gateway.contract import Caller, Event
from ai_gateway.manifest.model import Manifest, Model, Route
from ai_gateway.metrics import Metrics
from tests.cache.test_replay import ANSWERS, FORMATS
from tests.resilience.moving import MovingClock

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
    """What a filter cut, is too large or would be rounded, and a stream that nobody understands."""
    asked = caching(MovingClock())
    large = {**ANSWERS["chat"], "padding": "x" * 1_000_000}
    sound = [{"choices": [{"index": 0, "delta": {"audio": {}}, "finish_reason": "stop"}]}]
    exact = {**ANSWERS["chat"], "padding": 2**64}
    answers = {"answer": large}, {"answer": exact}
    for poor in ({"finish": "content_filter"}, *answers, {"chunks": sound}):
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
