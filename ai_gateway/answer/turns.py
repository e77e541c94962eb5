"""Leave for one call to a model: a place in its gate, one of its endpoints, a closed circuit.

A turn is held as long as the call lasts, a stream's to its end. What nobody declared costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from ai_gateway.answer.places import Place, Places
from ai_gateway.clock import Clock
from ai_gateway.errors import CallerLeft, GatewayError
from ai_gateway.resilience import (
    Balancer,
    Busy,
    Circuit,
    CircuitOpen,
    Circuits,
    Gates,
    Lease,
    Pass,
    Slot,
    blames,
    counts,
)
from ai_gateway.upstream.cancel import Cancel


@dataclass(slots=True)
class Turn:
    """One call's leave; to be ended, whatever becomes of the call. Ending it twice is as once."""

    place: Place
    slot: Slot | None = None
    lease: Lease | None = None
    circuit: Circuit | None = None
    leave: Pass | None = None
    #: Seconds that the call has waited for it.
    waited: float = 0.0
    #: When all tries at the model must be over, this one too, of the clock's monotonic time.
    by: float = math.inf

    def begin(self) -> None:
        """A stream has said something: the endpoint answers, and is still busy."""
        if self.lease is not None:
            self.lease.answered()
        if self.leave is not None:
            self.leave.succeed()
            self.leave = None

    def end(self, error: BaseException | None = None) -> None:
        """The call is over, by ``error`` if there was one."""
        circuit, self.circuit = self.circuit, None
        if circuit is not None:
            self._tell(circuit, error)
        if self.lease is not None:
            left = isinstance(error, CallerLeft) and error.may_have_run
            self.lease.end(failed=blames(error), left=left)
        if self.slot is not None:
            self.slot.close()

    def drop(self) -> None:
        """No call was made, so that nothing is learnt."""
        self.circuit = None
        if self.leave is not None:
            self.leave.drop()
        if self.lease is not None:
            self.lease.end(failed=None)
        if self.slot is not None:
            self.slot.close()

    def _tell(self, circuit: Circuit, error: BaseException | None) -> None:
        failed = isinstance(error, GatewayError) and counts(error)
        # What was said told of a success: a stream that breaks after it is one call more.
        leave = circuit.enter() if self.leave is None and failed else self.leave
        if leave is None:
            return
        if failed:
            leave.fail()
        elif error is None:
            leave.succeed()
        else:
            leave.drop()


@dataclass(frozen=True, slots=True)
class Turns:
    """What is known of every model and endpoint; it lives on across reloads."""

    circuits: Circuits
    gates: Gates
    balancer: Balancer

    @classmethod
    def of(cls, clock: Clock) -> Turns:
        """Nothing is known yet."""
        return cls(Circuits(clock), Gates(clock), Balancer(clock))

    def passes(self, places: Places) -> bool:
        """Whether a circuit lets a call through to one of ``places``."""
        return places[0].model.breaker is None or any(map(self._passes, places))

    def watch(self, models: Mapping[str, Places]) -> dict[str, Callable[[], str | None]]:
        """``unavailable`` of each of ``models`` that can be so at all."""
        return {
            name: partial(self.unavailable, places)
            for name, places in models.items()
            if places[0].model.breaker or places[0].model.concurrency
        }

    def unavailable(self, places: Places) -> str | None:
        """Why a call to the model at ``places`` would be refused now: an error's code, or None."""
        declared = places[0].model.concurrency
        if not self.passes(places):
            return CircuitOpen.code
        if declared is not None and self.gates.of(places[0].name, declared).full:
            return Busy.code
        return None

    def take(self, places: Places, deadline: float, caller: Cancel | None) -> Turn:
        """A turn at one of ``places``, waited for until ``deadline`` (monotonic) at most.

        Raises CircuitOpen, Busy, and CallerLeft where ``caller`` left the queue.
        """
        first = places[0]
        if not self.passes(places):
            raise self.refusal(places)
        if first.model.concurrency is None:
            return self._turn(places, None)
        slot = self.gates.of(first.name, first.model.concurrency).enter(deadline, caller)
        try:
            return self._turn(places, slot)
        except BaseException:
            slot.close()
            raise

    def beside(self, places: Places) -> Turn:
        """A turn that no caller feels, for a shadow: where a place is free and a circuit closed.

        It keeps nobody from that place, and what becomes of it teaches neither circuit nor
        balancer. Raises CircuitOpen and Busy.
        """
        well = tuple(filter(self._closed, places))
        if not well:
            raise self.refusal(places)
        name, declared = places[0].name, places[0].model.concurrency
        slot = None if declared is None else self.gates.of(name, declared).beside()
        if len(places) == 1:
            return Turn(places[0], slot)
        place, lease = self._best(well)
        lease.end(failed=None)
        return Turn(place, slot)

    def refusal(self, places: Places) -> CircuitOpen:
        """What a caller is told while no circuit lets him through to ``places``."""
        wait = min(map(self._wait, places))
        return CircuitOpen(
            f"The model {places[0].name} failed too often and is left alone for now.",
            headers={"retry-after": str(max(1, math.ceil(wait)))},
        )

    def keep(self, places: Iterable[Place]) -> None:
        """Forget every model and endpoint but ``places``: what a reload left out."""
        kept = list(places)
        self.circuits.keep({place.key for place in kept if place.model.breaker})
        self.gates.keep({place.name for place in kept if place.model.concurrency})
        self.balancer.keep({place.where for place in kept if place.model.endpoints})

    def _turn(self, places: Places, slot: Slot | None) -> Turn:
        place, lease = (places[0], None) if len(places) == 1 else self._balanced(places)
        breaker = place.model.breaker
        if breaker is None:
            return Turn(place, slot, lease)
        circuit = self.circuits.of(place.key, breaker)
        leave = circuit.enter()
        if leave is None:  # another call took the last probe since
            if lease is not None:
                lease.end(failed=None)
            raise self.refusal(places)
        return Turn(place, slot, lease, circuit, leave)

    def _balanced(self, places: Places) -> tuple[Place, Lease]:
        """The best endpoint of those whose circuit lets a call through."""
        passing = tuple(filter(self._passes, places))
        if not passing:
            raise self.refusal(places)
        return self._best(passing)

    def _best(self, places: Places) -> tuple[Place, Lease]:
        there = {place.where: place for place in places}
        lease = self.balancer.pick(tuple(there), places[0].model.balance)
        return there[lease.url], lease

    def _passes(self, place: Place) -> bool:
        breaker = place.model.breaker
        return breaker is None or self.circuits.of(place.key, breaker).passes

    def _closed(self, place: Place) -> bool:
        breaker = place.model.breaker
        return breaker is None or self.circuits.of(place.key, breaker).state == "closed"

    def _wait(self, place: Place) -> float:
        breaker = place.model.breaker
        return 0.0 if breaker is None else self.circuits.of(place.key, breaker).wait
