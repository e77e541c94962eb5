"""A circuit breaker: a model that keeps failing is left alone, then probed, then trusted again.

closed --(failures)--> open --(cooldown)--> half-open --(probes succeed)--> closed
                                              └--(a probe fails)--> open
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Literal

from ai_gateway.clock import Clock
from ai_gateway.resilience.declared import Breaker
from ai_gateway.resilience.live import Live

State = Literal["closed", "open", "half-open"]

_SLICES = 10  # of a window; what is older than a window is forgotten a slice at a time


class Pass:
    """Leave for one call. Its outcome is told once; what is told later does not count."""

    __slots__ = ("_circuit", "_era", "_told")

    def __init__(self, circuit: Circuit, era: int) -> None:
        self._circuit = circuit
        self._era = era
        self._told = False

    def succeed(self) -> None:
        """The model answered; also with a refusal that is the caller's own fault."""
        self._tell(failed=False)

    def fail(self) -> None:
        """The model failed."""
        self._tell(failed=True)

    def drop(self) -> None:
        """Nothing was learnt: the caller left, or the call was never made."""
        self._tell(failed=None)

    def _tell(self, *, failed: bool | None) -> None:
        told, self._told = self._told, True
        if not told:
            self._circuit._told(self._era, failed=failed)  # noqa: SLF001 - one class in two halves


class Circuit:
    """One model's, or one endpoint's, circuit. What is a failure is the caller's word."""

    def __init__(self, declared: Breaker, clock: Clock) -> None:
        self._declared = declared
        self._clock = clock
        self._lock = Lock()
        #: Grows at each change of state: the outcome of a call of an earlier era says nothing now.
        self._era = 0
        self._opened: float | None = None
        self._probing = False
        self._probes = 0
        self._probed_at = 0.0
        self._window = _Window()

    @property
    def state(self) -> State:
        """What a call would meet now."""
        if self._opened is None:
            return "closed"
        return "half-open" if self.wait == 0 else "open"

    @property
    def wait(self) -> float:
        """Seconds until the circuit may be probed; 0 unless it is open."""
        opened = self._opened
        if opened is None or self._probing:
            return 0.0
        return max(0.0, opened + self._declared.cooldown - self._clock.monotonic())

    @property
    def passes(self) -> bool:
        """Whether ``enter`` would let a call through; for picking among several."""
        return self._opened is None or (self.wait == 0 and self._probes_left())

    def enter(self) -> Pass | None:
        """Leave for one call, whose outcome must be told; None where the model is left alone."""
        era = self._era  # first: a pass of a past era counts for nothing
        if self._opened is None:  # nearly always, so without the lock
            return Pass(self, era)
        with self._lock:
            return Pass(self, self._era) if self._admit() else None

    def adopt(self, declared: Breaker) -> None:
        """From now on ``declared`` holds; the state stays."""
        with self._lock:
            self._declared = declared

    def _admit(self) -> bool:
        if self._opened is None:
            return True
        if not self.passes:
            return False
        if not self._probing:
            self._probing, self._probes = True, 0
            self._era += 1
        self._probes += 1
        self._probed_at = self._clock.monotonic()
        return True

    def _probes_left(self) -> bool:
        """A probe that is as long under way as a cooldown no longer keeps others back."""
        late = self._clock.monotonic() - self._probed_at >= self._declared.cooldown
        return self._probes < self._declared.probes or late

    def _told(self, era: int, *, failed: bool | None) -> None:
        with self._lock:
            if era != self._era:
                return
            if self._probing:
                self._probed(failed=failed)
            elif self._opened is None and failed is not None:
                self._counted(failed=failed)

    def _probed(self, *, failed: bool | None) -> None:
        self._probes -= 1
        if failed is not None:
            self._turn(self._clock.monotonic() if failed else None)

    def _counted(self, *, failed: bool) -> None:
        now, declared = self._clock.monotonic(), self._declared
        self._window.add(now, declared.window, failed=failed)
        if failed and self._window.failed >= max(
            declared.failures, declared.share * self._window.calls
        ):
            self._turn(now)

    def _turn(self, opened: float | None) -> None:
        self._era += 1
        self._opened, self._probing, self._probes = opened, False, 0
        self._window = _Window()


class _Window:
    """Calls and failures of the last seconds, counted in slices so that its size is bounded."""

    __slots__ = ("_slices", "calls", "failed")

    def __init__(self) -> None:
        #: Start of the slice, calls, failures.
        self._slices: deque[list[float]] = deque()
        self.calls = 0.0
        self.failed = 0.0

    def add(self, now: float, seconds: float, *, failed: bool) -> None:
        while self._slices and self._slices[0][0] <= now - seconds:
            _, calls, failures = self._slices.popleft()
            self.calls -= calls
            self.failed -= failures
        if not self._slices or now - self._slices[-1][0] >= seconds / _SLICES:
            self._slices.append([now, 0, 0])
        self._slices[-1][1] += 1
        self._slices[-1][2] += failed
        self.calls += 1
        self.failed += failed


class Circuits(Live[Breaker, Circuit]):
    """Every model's circuit, by name; it lives on across reloads."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda declared: Circuit(declared, clock))
