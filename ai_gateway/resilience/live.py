"""State by name that lives on while the bundle is reloaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar


class Adopting(Protocol):
    """What can go on under a new declaration."""

    def adopt(self, declared: Any) -> None:
        """From now on ``declared`` holds; nothing that was counted is forgotten."""


Declared = TypeVar("Declared")
State = TypeVar("State", bound=Adopting)


class Live(Generic[Declared, State]):
    """One State a name, made when it is first asked for."""

    def __init__(self, make: Callable[[Declared], State]) -> None:
        self._make = make
        self._lock = Lock()
        self._states: dict[str, tuple[Declared, State]] = {}

    def of(self, name: str, declared: Declared) -> State:
        """The state of ``name``, under ``declared`` from now on."""
        known = self._states.get(name)
        if known is not None and known[0] is declared:
            return known[1]
        with self._lock:
            return self._adopted(name, declared)

    def _adopted(self, name: str, declared: Declared) -> State:
        known = self._states.get(name)
        state = known[1] if known else self._make(declared)
        if known and known[0] != declared:
            state.adopt(declared)
        self._states[name] = declared, state
        return state

    def keep(self, names: Collection[str]) -> None:
        """Forget all but ``names``: what a reload left out."""
        with self._lock:
            self._states = {name: held for name, held in self._states.items() if name in names}

    def __iter__(self) -> Iterator[tuple[str, State]]:
        """Every name with its state, for metrics."""
        return ((name, state) for name, (_, state) in list(self._states.items()))
