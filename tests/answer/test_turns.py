"""A turn tells the circuit, the balancer and the gate how its call ended, each once."""

import pytest

from ai_gateway.answer.places import Place, places, where
from ai_gateway.answer.turns import Turns
from ai_gateway.errors import (
    BadRequest,
    CallerLeft,
    UpstreamColdStart,
    UpstreamDenied,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
)
from ai_gateway.manifest.model import Model
from ai_gateway.resilience import CircuitOpen, blames
from tests.resilience.moving import MovingClock

URL = "https://one.example/v1"
BREAKER = {"failures": 1, "share": 0.0, "cooldown": 10.0}


def at(*endpoints, **declared) -> tuple[Place, ...]:
    """The places of a model with further ``endpoints``."""
    given = {"url": URL, "model_id": "m", "endpoints": [{"url": url} for url in endpoints]}
    return places({"m": Model.model_validate({**given, **declared})})["m"]


@pytest.fixture
def clock() -> MovingClock:
    """Stands still."""
    return MovingClock()


@pytest.fixture
def turns(clock) -> Turns:
    """Nothing is known yet."""
    return Turns.of(clock)


def take(turns, there):
    """A turn for a caller who stays."""
    return turns.take(there, 2000.0, None)


def test_nothing_is_kept_of_what_nobody_declared(turns) -> None:
    """A model without gate, breaker or further endpoints leaves no state behind."""
    turn = take(turns, at())
    turn.begin()
    turn.end()
    assert (list(turns.circuits), list(turns.gates), turns.balancer.flying()) == ([], [], {})


def test_a_failure_opens_the_circuit_and_a_probe_closes_it(turns, clock) -> None:
    """The error of a call decides; what the caller did wrong does not."""
    there = at(breaker=BREAKER)
    for harmless in (BadRequest("x"), CallerLeft("x"), UpstreamDenied("x"), KeyError("x")):
        take(turns, there).end(harmless)
    assert turns.passes(there)
    take(turns, there).end(UpstreamError("x"))
    with pytest.raises(CircuitOpen) as refused:
        take(turns, there)
    assert refused.value.headers == {"retry-after": "10"}
    clock.sleep(10)
    take(turns, there).end()
    assert turns.passes(there)


def test_a_stream_that_breaks_late_is_a_failure_too(turns) -> None:
    """Its first event was a success; its break is told as well, once."""
    there = at(breaker={**BREAKER, "failures": 2})
    for _ in range(2):
        assert turns.passes(there)
        turn = take(turns, there)
        turn.begin()
        turn.end(UpstreamError("cut"))
        turn.end(UpstreamError("cut"))
    assert not turns.passes(there)


def test_a_stream_that_ends_well_is_one_success(turns, clock) -> None:
    """A probe's first event closes the circuit; its end adds nothing."""
    there = at(breaker=BREAKER)
    take(turns, there).end(UpstreamError("x"))
    clock.sleep(10)
    probe = take(turns, there)
    probe.begin()
    assert turns.circuits.of("m", there[0].model.breaker).state == "closed"
    probe.end()
    assert turns.passes(there)


def test_who_leaves_a_silent_endpoint_teaches_it_and_no_circuit(turns, clock) -> None:
    """The next caller is sent elsewhere; for the circuit he is neither a success nor a failure."""
    there = at("https://two.example/v1", breaker=BREAKER)
    first = take(turns, there)
    clock.sleep(1)
    first.end(CallerLeft("x", may_have_run=True))
    others = [take(turns, there) for _ in range(3)]
    assert first.place not in [turn.place for turn in others]
    assert [circuit.state for _, circuit in turns.circuits] == ["closed", "closed"]


def test_who_leaves_before_an_endpoint_was_asked_teaches_nothing(turns, clock) -> None:
    """A caller who left while a connection was made had no answer to wait for."""
    there = at("https://two.example/v1")
    first = take(turns, there)
    clock.sleep(1)
    first.end(CallerLeft("x"))
    assert len({take(turns, there).place for _ in range(2)}) == 2


def test_a_probe_whose_caller_leaves_closes_no_circuit(turns, clock) -> None:
    """It makes room for the next probe."""
    there = at(breaker=BREAKER)
    take(turns, there).end(UpstreamError("x"))
    clock.sleep(10)
    take(turns, there).end(CallerLeft("x"))
    assert turns.circuits.of("m", there[0].model.breaker).state == "half-open"
    take(turns, there).end()
    assert turns.circuits.of("m", there[0].model.breaker).state == "closed"


@pytest.mark.parametrize("endpoints", [(), ("https://two.example/v1",)])
def test_a_turn_that_is_dropped_leaves_all_as_it_was(turns, clock, endpoints) -> None:
    """Nobody was asked: a half-open circuit is still to be probed, and the place is free."""
    there = at(*endpoints, breaker=BREAKER, concurrency={"limit": 1, "queue": 0})
    for _ in there:
        take(turns, there).end(UpstreamError("x"))
    clock.sleep(10)
    turn = take(turns, there)
    turn.drop()
    turn.end(UpstreamError("x"))
    assert {circuit.state for _, circuit in turns.circuits} == {"half-open"}
    assert turns.unavailable(there) is None
    assert set(turns.balancer.flying().values()) <= {0}


def test_a_turn_without_anything_declared_is_dropped_as_well(turns) -> None:
    """There is nothing to give back."""
    take(turns, at()).drop()


@pytest.mark.parametrize("endpoints", [(), ("https://two.example/v1",)])
def test_a_turn_beside_is_felt_by_no_caller(turns, endpoints) -> None:
    """It opens no circuit, takes no probe and no place, and no endpoint counts it."""
    there = at(*endpoints, breaker=BREAKER, concurrency={"limit": 1, "queue": 0})
    beside = turns.beside(there)
    assert turns.unavailable(there) is None
    assert set(turns.balancer.flying().values()) <= {0}
    take(turns, there).end()
    beside.end(UpstreamError("x"))
    assert {circuit.state for _, circuit in turns.circuits} == {"closed"}
    turns.beside(there).end()


def test_a_turn_beside_is_no_probe(turns, clock) -> None:
    """A circuit that is to be probed is left to those who ask for an answer."""
    there = at("https://two.example/v1", breaker=BREAKER)
    take(turns, there).end(UpstreamError("x"))
    assert [turns.beside(there).place for _ in range(3)] == [there[1]] * 3
    take(turns, there).end(UpstreamError("x"))
    clock.sleep(10)
    with pytest.raises(CircuitOpen):
        turns.beside(there)
    assert turns.passes(there)


class Raced(Turns):
    """All circuits open between the first look and the choice of an endpoint."""

    __slots__ = ()

    def passes(self, _places) -> bool:
        """They still let calls through."""
        return True


class Later(Raced):
    """They open between that choice and the call."""

    __slots__ = ()

    def _passes(self, _place) -> bool:
        return True


@pytest.mark.parametrize("raced", [Raced, Later])
@pytest.mark.parametrize("endpoints", [(), ("https://two.example/v1",)])
def test_who_comes_too_late_is_refused_and_leaves_nothing(turns, endpoints, raced) -> None:
    """A place that was waited for is free again, and no endpoint has a call in flight."""
    there = at(*endpoints, breaker=BREAKER, concurrency={"limit": 1})
    for _ in there:
        take(turns, there).end(UpstreamError("x"))
    with pytest.raises(CircuitOpen):
        take(raced(turns.circuits, turns.gates, turns.balancer), there)
    ((_, gate),) = turns.gates
    assert gate.busy == 0
    assert set(turns.balancer.flying().values()) <= {0}


def test_while_all_endpoints_are_probed_nobody_else_is_let_in(turns, clock) -> None:
    """Each probe is one call; the rest are refused without waiting."""
    there = at("https://two.example/v1", breaker=BREAKER)
    for _ in there:
        take(turns, there).end(UpstreamError("x"))
    clock.sleep(10)
    probes = [take(turns, there) for _ in there]
    assert {probe.place.where for probe in probes} == {place.where for place in there}
    with pytest.raises(CircuitOpen):
        take(turns, there)
    for probe in probes:
        probe.end()
    assert set(turns.balancer.flying().values()) == {0}


def test_why_a_model_is_not_to_be_asked(turns) -> None:
    """Its circuit is open, or its places and its queue are taken."""
    there = {"m": at(breaker=BREAKER, concurrency={"limit": 1, "queue": 0}), "n": at()}
    (name, why), *others = turns.watch(there).items()
    assert (name, why(), others) == ("m", None, [])
    turn = take(turns, there["m"])
    assert why() == "model_busy"
    turn.end(UpstreamError("x"))
    assert why() == "model_circuit_open"


def test_all_endpoints_left_alone_is_the_model_left_alone(turns, clock) -> None:
    """As long as one answers the model does; then the shortest wait is told."""
    there = at("https://two.example/v1", breaker=BREAKER)
    take(turns, there).end(UpstreamError("x"))
    clock.sleep(4)
    take(turns, there).end(UpstreamError("x"))
    assert turns.refusal(there).headers == {"retry-after": "6"}
    with pytest.raises(CircuitOpen):
        take(turns, there)
    assert turns.refusal(at()).headers == {"retry-after": "1"}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (None, False),
        (UpstreamError("x"), True),
        (UpstreamRateLimited("x"), True),
        (UpstreamColdStart("x"), True),
        (UpstreamDenied("x"), True),
        (UpstreamRefused("x", 400), None),
        (CallerLeft("x"), None),
        (KeyError("x"), None),
    ],
)
def test_what_a_call_says_of_its_endpoint(error, says) -> None:
    """A refused request says nothing, a limit or a refused credential that another may do."""
    assert blames(error) is says


def test_places_are_told_apart(turns) -> None:
    """One endpoint goes by the model's name; several each by their own, without user or query."""
    assert [place.key for place in at()] == ["m"]
    one, two = at("https://two.example/v1/")
    assert (one.key, two.key) == ("m one.example/v1", "m two.example/v1")
    assert where("https://user:secret@h.example:8443/a/v1/?api-version=1") == "h.example:8443/a/v1"
