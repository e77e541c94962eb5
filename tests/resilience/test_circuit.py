"""A circuit lets nothing through while it is open, and at most its probes while half open."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from ai_gateway.resilience import Breaker, Circuit, Circuits
from tests.resilience.moving import MovingClock

BREAKER = Breaker(failures=3, window=10, cooldown=5, probes=1, share=0.5)


def failing(circuit, times) -> None:
    """So many calls that fail."""
    for _ in range(times):
        circuit.enter().fail()


def test_failures_within_the_window_open_it() -> None:
    """Then no call gets through until the cooldown is over, and metrics can see it."""
    clock = MovingClock()
    circuit = Circuit(BREAKER, clock)
    failing(circuit, 2)
    assert (circuit.state, circuit.passes, circuit.wait) == ("closed", True, 0)
    failing(circuit, 1)
    assert (circuit.state, circuit.enter(), circuit.passes) == ("open", None, False)
    assert circuit.wait == 5
    clock.sleep(5)
    assert (circuit.state, circuit.passes, circuit.wait) == ("half-open", True, 0)


def test_failures_that_are_too_far_apart_do_not() -> None:
    """The window slides."""
    clock = MovingClock()
    circuit = Circuit(BREAKER, clock)
    for _ in range(10):
        failing(circuit, 1)
        clock.sleep(6)
    assert circuit.state == "closed"


def test_a_small_share_of_failures_does_not() -> None:
    """A busy model of which one call in ten fails is not left alone."""
    circuit = Circuit(BREAKER, MovingClock())
    for _ in range(50):
        failing(circuit, 1)
        for _ in range(9):
            circuit.enter().succeed()
    assert circuit.state == "closed"


def test_the_share_can_be_left_out() -> None:
    """Then the number alone decides."""
    circuit = Circuit(BREAKER.model_copy(update={"share": 0}), MovingClock())
    for _ in range(100):
        circuit.enter().succeed()
    failing(circuit, 3)
    assert circuit.state == "open"


def test_only_so_many_probes_at_once() -> None:
    """While half open the others are refused; a probe that says nothing makes room."""
    clock = MovingClock()
    circuit = Circuit(BREAKER, clock)
    failing(circuit, 3)
    clock.sleep(5)
    probe = circuit.enter()
    assert (circuit.enter(), circuit.passes, circuit.state) == (None, False, "half-open")
    probe.drop()
    second = circuit.enter()
    second.succeed()
    assert circuit.state == "closed"


def test_a_failing_probe_opens_it_again() -> None:
    """For a whole cooldown."""
    clock = MovingClock()
    circuit = Circuit(BREAKER, clock)
    failing(circuit, 3)
    clock.sleep(5)
    failing(circuit, 1)
    assert (circuit.state, circuit.wait) == ("open", 5)


def test_a_probe_that_never_ends_does_not_hold_it_half_open() -> None:
    """After another cooldown a new probe is let through."""
    clock = MovingClock()
    circuit = Circuit(BREAKER, clock)
    failing(circuit, 3)
    clock.sleep(5)
    lost = circuit.enter()
    clock.sleep(5)
    circuit.enter().succeed()
    assert circuit.state == "closed"
    lost.fail()
    assert circuit.state == "closed"


def test_late_outcomes_do_not_count() -> None:
    """A call from before the opening says nothing about now, and each tells its outcome once."""
    clock = MovingClock()
    circuit = Circuit(BREAKER, clock)
    late, twice = circuit.enter(), circuit.enter()
    twice.fail()
    twice.fail()
    twice.fail()
    failing(circuit, 1)
    assert circuit.passes
    failing(circuit, 1)
    late.succeed()
    assert circuit.state == "open"
    clock.sleep(5)
    circuit.enter()
    assert not circuit.passes


def test_circuits_live_across_reloads() -> None:
    """The same name keeps its state under a changed declaration; what is left out is forgotten."""
    clock = MovingClock()
    circuits = Circuits(clock)
    failing(circuits.of("model-a", BREAKER), 3)
    circuits.of("model-b", BREAKER)
    changed = BREAKER.model_copy(update={"cooldown": 60})
    assert circuits.of("model-a", changed).wait == 60
    assert circuits.of("model-a", changed.model_copy()) is circuits.of("model-a", changed)
    assert circuits.of("model-a", changed) is circuits.of("model-a", changed)
    circuits.keep({"model-a"})
    assert [(name, circuit.state) for name, circuit in circuits] == [("model-a", "open")]


def test_a_circuit_that_closed_meanwhile_lets_through() -> None:
    """Who found it open and then gets the lock after it closed is let through."""
    circuit = Circuit(BREAKER, MovingClock())
    assert circuit._admit()


class Machine(RuleBasedStateMachine):
    """Any order of calls, outcomes and waits, against what must always hold."""

    passes = Bundle("passes")

    @initialize(
        failures=st.integers(1, 4), probes=st.integers(1, 3), share=st.sampled_from([0.0, 0.5, 1.0])
    )
    def start(self, failures, probes, share) -> None:
        """A circuit, and a model of it: probes under way, and the time it opened."""
        self.clock = MovingClock()
        self.breaker = Breaker(failures=failures, window=10, cooldown=5, probes=probes, share=share)
        self.circuit = Circuit(self.breaker, self.clock)
        self.probes: set = set()
        self.probed_at = 0.0
        self.failed = 0

    @rule(target=passes)
    def enter(self):
        """None while open, at most ``probes`` while half open, always while closed."""
        before, passes = self.circuit.state, self.circuit.passes
        found = self.circuit.enter()
        assert (found is not None) == passes
        assert passes or before != "closed"
        assert not (passes and before == "open")
        if found is not None and before == "half-open":
            late = self.clock.at - self.probed_at >= self.breaker.cooldown
            assert len(self.probes) < self.breaker.probes or late
            self.probes.add(found)
            self.probed_at = self.clock.at
        return found

    @rule(taken=consumes(passes), outcome=st.sampled_from(["succeed", "fail", "drop"]))
    def tell(self, taken, outcome) -> None:
        """Only a failure opens; only a probe's success closes."""
        if taken is None:
            return
        before = self.circuit.state
        getattr(taken, outcome)()
        after = self.circuit.state
        if taken in self.probes:
            assert after == {"succeed": "closed", "fail": "open", "drop": "half-open"}[outcome]
            self.probes.discard(taken)
            if outcome != "drop":
                self.probes.clear()
        elif before == "closed" and after != "closed":
            assert outcome == "fail"
        else:
            assert after == before

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 11.0]))
    def wait(self, seconds) -> None:
        """Time alone never closes it."""
        before = self.circuit.state
        self.clock.sleep(seconds)
        assert (self.circuit.state == "closed") == (before == "closed")

    @invariant()
    def never_waits_longer_than_the_cooldown(self) -> None:
        """Whatever happens, a probe is possible within a cooldown."""
        if hasattr(self, "circuit"):
            assert 0 <= self.circuit.wait <= self.breaker.cooldown + 1e-9


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("case", [Machine.TestCase])
def test_the_state_machine_holds(case) -> None:
    """Any order of calls, outcomes and waits keeps the circuit's promises."""
    case("runTest").runTest()
