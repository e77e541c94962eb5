"""What is taken on a request's way, beside what a whole gateway shows."""

from types import SimpleNamespace

import pytest

from ai_gateway.answer.call import Call
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller, Event
from ai_gateway.cost.prices import Library
from ai_gateway.errors import BadRequest, LimitsUnavailable, RateLimited, TooLarge
from ai_gateway.formats import Usage
from ai_gateway.limits.declared import Allowance
from ai_gateway.limits.engine import Limits
from ai_gateway.limits.gate import Gate, check_size
from ai_gateway.limits.memory import MemoryStore
from ai_gateway.limits.spending import Spending
from ai_gateway.limits.store import Away
from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records

LIMITED = {
    "models": {
        "m": {
            "url": "http://m/v1",
            "model_id": "m",
            "max_output_tokens": 100,
            "price": {"input": 1, "output": 1},
        },
        "other": {
            "url": "http://a/v1",
            "model_id": "a",
            "dialect": "anthropic",
            "price": {"input": 1, "output": 1},
        },
    },
    "routes": [{"path": "/a", "function": "functions.v1.chat_completions:handle", "max_body": 9}],
    "limits": [{"per": "key", "requests": "3/min", "tokens": "100000/min", "assume": 7}],
    "budgets": [{"name": "b", "per": "key", "amount": 1, "window": "day", "assume": 7}],
}
BODY = {"messages": [{"role": "user", "content": "What is GRPO?"}]}


@pytest.fixture
def begin(tmp_path, clock):
    """A gate on a store, and what it is called with."""
    opened: list[Limits | Records] = []

    def run(declared=LIMITED, store=None):
        manifest = Manifest.model_validate(declared)
        records = Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False)
        store = store or MemoryStore(clock)
        limits = Limits(store, Spending(clock), clock, records, Metrics(), patience=10.0)
        opened.extend([limits, records])
        nobody = SimpleNamespace(models=lambda: [("policy", "check", "m", True)])
        there = places(manifest.models)
        return Gate(manifest, there, nobody, Library(SystemClock()), limits), manifest.routes[0]

    yield run
    for each in opened:
        each.close()


def request(route, model="m", surface="chat", **caller):
    """A call of a caller, and its decision."""
    event = Event("1", route, "POST", "/a", 0.0, caller=Caller("me", "api-key", **caller))
    return Call(event, surface, BODY, model=model), Decision(event, surface)


def left(gate, call):
    """What the caller of a call is told is left of requests and tokens."""
    found = gate.headers(call.event, 0.0)
    return [found.get(f"x-ratelimit-remaining-{unit}") for unit in ("requests", "tokens")]


def test_a_body_beyond_what_a_route_reads_is_too_large(begin) -> None:
    """At the bound it passes."""
    _, route = begin()
    check_size(b"123456789", route)
    with pytest.raises(TooLarge):
        check_size(b"1234567890", route)


def test_without_limits_nothing_is_taken(begin) -> None:
    """Nothing is held, and no header tells of anything."""
    gate, route = begin({"routes": LIMITED["routes"]})
    call, decision = request(route)
    gate.arrive(call.event)
    gate.reserve(call, decision)
    gate.beside(call, "m", decision)
    gate.leave(call.event)
    assert decision.hold is None
    assert gate.headers(call.event, 0.0) == {}


def test_jobs_are_not_limited(begin) -> None:
    """What the judge asks is the operator's own, and bounded by its own batch."""
    gate, route = begin()
    call, decision = request(route)
    event = Event("1", route, "TICK", "/a", 0.0, caller=Caller("scheduler", "job"))
    gate.reserve(Call(event, "judge", BODY, model="m"), decision)
    assert decision.hold is None
    assert left(gate, call) == [None, None]


def test_a_second_call_of_one_request_takes_no_second_request(begin) -> None:
    """A function of one's own may ask twice."""
    gate, route = begin()
    call, decision = request(route)
    gate.reserve(call, decision)
    assert left(gate, call)[0] == "2"
    gate.reserve(call, Decision(call.event, "chat"))
    assert left(gate, call) == ["2", str(100_000 - 2 * 111)]


def test_a_request_alone_is_not_settled(begin) -> None:
    """One that counts whatever becomes of it holds nothing; the next one finds it counted."""
    gate, route = begin(LIMITED | {"limits": [{"per": "key", "requests": "3/min"}], "budgets": []})
    for remaining in ("2", "1"):
        call, decision = request(route)
        gate.reserve(call, decision)
        assert decision.hold is None
        assert left(gate, call) == [remaining, None]


def test_a_name_that_is_none_of_ours_is_not_remembered(begin) -> None:
    """Callers may send any text as a model; what is remembered of them does not grow by it."""
    gate, route = begin(LIMITED | {"limits": [{"per": "key", "requests": "9/min"}], "budgets": []})
    for model in (None, "m", "no-such-model", "another-one"):
        gate.reserve(*request(route, model))
    kept = [key for key in gate._plans if "no-such-model" in key or "another-one" in key]
    assert (len(gate._plans), kept) == (3, [])


def test_what_is_remembered_of_calls_is_bounded(begin) -> None:
    """One more than are remembered, and the others are worked out anew and count as before."""
    gate, route = begin()
    for tenant, remaining in (("a", "2"), ("b", "2"), ("a", "1")):
        gate._plans = dict.fromkeys(map(str, range(10_000)))
        call, decision = request(route, tenant=tenant)
        gate.reserve(call, decision)
        assert (len(gate._plans), left(gate, call)[0]) == (1, remaining)


def test_an_answer_of_unknown_use_keeps_what_it_reserved(begin) -> None:
    """What an upstream does not tell is no gift; a gateway's own answer has used nothing."""
    gate, route = begin()
    for attempts, usage, after in (
        ([Attempt("m", "m/v1", 200)], Usage(), 111),
        ([Attempt("m", "m/v1", 200)], Usage(3, 4), 7),
        ([], Usage(), 0),
    ):
        call, decision = request(route, tenant=f"{after}")
        gate.reserve(call, decision)
        decision.served, decision.attempts, decision.usage = "m", attempts, usage
        decision.hold.settle(decision)
        decision.hold.settle(decision)
        again, _ = request(route, tenant=f"{after}")
        gate.reserve(again, Decision(again.event, "chat"))
        assert left(gate, again)[1] == str(100_000 - after - 111)


def test_what_translation_sends_is_assumed(begin) -> None:
    """A model of Anthropic's API always has a limit of tokens, which nobody may have declared."""
    gate, route = begin()
    call, decision = request(route, model="other")
    gate.reserve(call, decision)
    assert left(gate, call)[1] == str(100_000 - 11 - 4096)


def test_models_that_are_not_the_callers_are_not_reserved(begin) -> None:
    """Of those that route and policies may have answer, only what he may ask."""
    gate, route = begin()
    call, decision = request(route, model="auto", models=frozenset({"m"}))
    gate.reserve(call, decision)
    assert left(gate, call)[1] == str(100_000 - 111)


def test_an_unknown_model_takes_a_request(begin) -> None:
    """Whatever becomes of it, it was one."""
    gate, route = begin()
    call, decision = request(route, model="nobody")
    gate.reserve(call, decision)
    assert left(gate, call) == ["2", None]


def test_a_caches_own_call_takes_money_alone(begin) -> None:
    """It is no request, and its tokens are not its caller's."""
    gate, route = begin()
    call, decision = request(route, surface="cache")
    gate.reserve(call, decision)
    assert left(gate, call) == [None, None]
    assert [entry.rule.name for entry in decision.hold.reserved.entries] == ["b"]


def test_a_failed_request_is_counted_once_and_recorded_once(begin) -> None:
    """The refusal takes the place of the failure in what the caller sees, not a second row."""
    gate, route = begin()
    error = BadRequest("no such thing")
    error.recorded = True
    told = []
    for _ in range(4):
        call, _ = request(route)
        gate.arrive(call.event)
        told.append(gate.instead(call.event, error))
        assert gate.instead(call.event, error) is error
    assert told[:3] == [error] * 3
    assert isinstance(told[3], RateLimited)
    assert told[3].recorded
    stranger, _ = request(route)
    assert gate.instead(stranger.event, error) is error


def test_an_allowance_shows_no_headers(begin, clock) -> None:
    """Nobody knows what is left then."""

    class Gone(MemoryStore):
        def reserve(self, counters, amounts):
            raise Away

    gate, route = begin(LIMITED | {"limits_on_error": {"allowance": 1}}, Gone(clock))
    assert gate._manifest.limits_on_error == Allowance(allowance=1)
    call, decision = request(route)
    gate.reserve(call, decision)
    assert left(gate, call) == [None, None]
    decision.hold.settle(decision)
    with pytest.raises(LimitsUnavailable):
        gate.reserve(call, decision)
