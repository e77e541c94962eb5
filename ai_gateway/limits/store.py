"""What a store of counts gives: all of a request's counters in one step, or none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ai_gateway.limits.windows import Span


class Counter(NamedTuple):
    """One count. A budget's ``window`` is ``day`` or ``month``; a rate's is seconds."""

    #: What is counted, and of whom.
    rule: str
    part: str
    window: Span
    #: The most that it may reach: requests, tokens, or billionths of the currency.
    cap: int
    #: Whose it is, for people.
    label: str = ""
    #: The tenant whose it is; empty where it is of no tenant alone.
    tenant: str = ""

    @property
    def budget(self) -> bool:
        """Whether it is one of money, which records can tell of as well."""
        return isinstance(self.window, str)


class State(NamedTuple):
    """A counter at a moment: what is taken, when its window ends, seconds until then."""

    taken: int
    end: float
    wait: float
    #: Of the life of the counts in which it was taken; they may be lost and counted again.
    life: str = ""


class Outcome(NamedTuple):
    """``states`` are those after the taking, or as they are where nothing was taken."""

    #: The counter that refuses longest, by its place; None where all was taken.
    refused: int | None
    states: Sequence[State]
    #: Rules whose spend is not known, so that nothing was taken.
    lost: tuple[str, ...] = ()


class Held(NamedTuple):
    """What a call holds of one counter, and ``used``, what it came to in the end."""

    counter: Counter
    state: State
    reserved: int
    used: int


class Spent(NamedTuple):
    """A budget after a call was settled: what was spent for good in the window."""

    counter: Counter
    amount: int
    end: float


class Away(Exception):
    """The counts cannot be reached."""


class Store(Protocol):
    """Counts that any thread may take of."""

    #: Seconds after a loss until what other processes recorded before it can be read.
    lag: float

    def now(self) -> float:
        """The time by which windows go: that of the store itself, where it is shared."""

    def reserve(self, counters: Sequence[Counter], amounts: Sequence[int]) -> Outcome:
        """Take all ``amounts``, or nothing; raises Away."""

    def settle(self, held: Sequence[Held]) -> None:
        """Put what was used in the place of what was reserved; never raises, and may do it later.

        A window that is over stays as it is.
        """

    def load(self, rule: str, window: str, end: float, sums: Mapping[str, int]) -> bool:
        """Add what was spent in the window that ends at ``end``; from here on ``rule`` is known.

        False where that window is over. Nothing where the rule is known already. Raises Away.
        """

    def forget(self, rule: str) -> None:
        """Nobody counts ``rule`` now: it is to be loaded again once somebody does. Raises Away."""

    def close(self) -> None:
        """Settle what is left, and let go of connections."""
