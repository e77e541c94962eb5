"""Counts in Redis, which all gateways share: one script, and so one round trip, a request."""

from __future__ import annotations

import importlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Final, NamedTuple

from ai_gateway.clock import Clock, SystemClock
from ai_gateway.limits import scripts
from ai_gateway.limits.store import Away, Counter, Held, Outcome, Spent, State
from ai_gateway.resilience.circuit import Circuit
from ai_gateway.resilience.declared import Breaker

log = logging.getLogger(__name__)

#: One hash slot, so that a script may touch all keys wherever they lie.
PREFIX: Final = "{ai-gateway:limits:1}:"
#: Seconds: to connect, for an answer, and in line for a connection.
PATIENCE: Final = 0.5
IN_LINE: Final = 1.0
_CONNECTIONS: Final = 64
_DAY: Final = 86_400_000  # milliseconds
#: A budget that nobody used for so long is counted again.
_KEPT: Final = str(40 * _DAY)
#: So long a settlement that was sent twice is known.
_MARKED: Final = str(3_600_000)
_SETTLEMENTS: Final = 100_000
_LOST: Final = -1


class Settlement(NamedTuple):
    """What one call came to, and what tells it from others."""

    mark: str
    held: Sequence[Held]


class RedisStore:
    """A Store in Redis. What is settled is sent by a thread of its own, so that no caller waits.

    A Redis that fails is left alone for a second, and asked again. ``told`` hears of each budget
    that was settled; ``clock`` is the time in the place of Redis's own, for tests.
    """

    #: Other gateways move what they recorded within 5 s.
    lag = 6.0

    def __init__(
        self,
        client: Any,
        failures: tuple[type[Exception], ...],
        told: Callable[[Spent], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._failures = failures
        self._told = told
        self._clock = clock
        self._circuit = Circuit(
            Breaker(failures=3, share=0, window=10, cooldown=1), clock or SystemClock()
        )
        self._reserve = client.register_script(scripts.RESERVE)
        self._settle = client.register_script(scripts.SETTLE)
        self._load = client.register_script(scripts.LOAD)
        self._queue: Queue[Settlement] = Queue(_SETTLEMENTS)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="limits-settle", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Redis's own time."""
        if self._clock is not None:
            return self._clock.now()
        whole, millionths = self._ask(self._client.time)
        return float(whole + millionths / 1e6)

    def reserve(self, counters: Sequence[Counter], amounts: Sequence[int]) -> Outcome:
        """Take all ``amounts``, or nothing; raises Away within ``IN_LINE`` and twice PATIENCE."""
        arguments: list[object] = [self._time()]
        for counter, amount in zip(counters, amounts, strict=True):
            arguments += [counter.cap, amount, _window(counter), _part(counter)]
        arguments.append(_KEPT)
        keys = [_key(counter) for counter in counters]
        refused, now, *said = self._ask(lambda: self._reserve(keys=keys, args=arguments))
        found = list(zip(said[::3], said[1::3], said[2::3], strict=True))
        if refused == _LOST:
            gone = [taken == b"-1" for taken, _, _ in found]
            return Outcome(None, (), tuple(c.rule for c in compress(counters, gone)))
        states = [
            State(int(taken), int(end) / 1000, (int(end) - int(now)) / 1000, life.decode())
            for taken, end, life in found
        ]
        return Outcome(refused - 1 if refused else None, states)

    def settle(self, held: Sequence[Held]) -> None:
        """Have it settled soon. Where Redis is away for long what is reserved stays reserved."""
        try:
            self._queue.put_nowait(Settlement(uuid.uuid4().hex, held))
        except Full:
            log.warning("%d calls wait to be settled: one more stays reserved", _SETTLEMENTS)

    def load(self, rule: str, window: str, end: float, sums: Mapping[str, int]) -> bool:
        """Begin with what was spent; raises Away."""
        finish, life = str(round(end * 1000)), uuid.uuid4().hex
        arguments: list[object] = [self._time(), window, finish, life, _KEPT]
        for part, amount in sums.items():
            arguments += [part, amount]
        keys = [f"{PREFIX}{rule}"]
        return bool(self._ask(lambda: self._load(keys=keys, args=arguments)))

    def forget(self, rule: str) -> None:
        """Nobody counts ``rule`` any more, so that it is to be counted again when it is back."""
        self._ask(lambda: self._client.unlink(f"{PREFIX}{rule}"))

    def flush(self, seconds: float = 2.0) -> None:
        """Wait until all is settled, at most so long."""
        until = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)

    def close(self) -> None:
        """Settle what can be settled, and close the connections."""
        self.flush()
        self._stop.set()
        self._thread.join(2.0)
        self._client.close()

    def _time(self) -> str:
        return "" if self._clock is None else str(round(self._clock.now() * 1000))

    def _ask(self, command: Callable[[], Any]) -> Any:
        leave = self._circuit.enter()
        if leave is None:
            raise Away
        try:
            answer = command()
        except self._failures as error:
            leave.fail()
            log.warning("the Redis of limits fails: %s", type(error).__name__)
            raise Away from None
        leave.succeed()
        return answer

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                settlement = self._queue.get(timeout=0.2)
            except Empty:
                continue
            while not self._stop.is_set():
                try:
                    self.send(settlement)
                    break
                except Away:
                    self._stop.wait(0.5)
            self._queue.task_done()

    def send(self, settlement: Settlement) -> None:
        """Settle it now, unless that was done before; raises Away."""
        keys = [f"{PREFIX}settled:{settlement.mark}"]
        arguments: list[object] = [_MARKED, _KEPT]
        for counter, state, reserved, used in settlement.held:
            keys.append(_key(counter))
            finish = str(round(state.end * 1000))
            arguments += [_part(counter), finish, state.life, used - reserved, used]
        said = self._ask(lambda: self._settle(keys=keys, args=arguments))
        for (counter, state, *_), spent in zip(settlement.held, said, strict=False):
            if spent not in (b"", ""):
                self._told(Spent(counter, int(spent), state.end))


def _key(counter: Counter) -> str:
    rule = f"{PREFIX}{counter.rule}"
    return rule if counter.budget else f"{rule}:{counter.part}"


def _part(counter: Counter) -> str:
    return counter.part if counter.budget else ""


def _window(counter: Counter) -> object:
    window = counter.window
    return window * 1000 if isinstance(window, int) else window


def redis_store(url: str, told: Callable[[Spent], None]) -> RedisStore:
    """A RedisStore at ``url`` (``redis://``, ``rediss://``); needs the ``redis`` package."""
    redis = importlib.import_module("redis")
    retry, backoff = (importlib.import_module(f"redis.{name}") for name in ("retry", "backoff"))
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=IN_LINE,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        # A script that may have run must not run again.
        retry=retry.Retry(backoff.NoBackoff(), 0),
    )
    client = redis.Redis(connection_pool=pool)
    return RedisStore(client, (redis.RedisError, OSError), told)
