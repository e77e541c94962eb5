"""How a check asks its model: within a deadline, several parts at once, nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ai_gateway import strictjson
from ai_gateway.cache.memory import Bounded
from ai_gateway.clock import Clock, SystemClock
from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.remote.parameters import Remote
from ai_gateway.guardrails.scene import Ask, Scene

CHAT: Final = "/chat/completions"
#: Calls for the texts of one stage; a request that needs more is not checked, and so refused.
MOST_CALLS: Final = 16
_AT_ONCE: Final = 4
_CACHE_BYTES: Final = 4_000_000
_VERDICT_BYTES: Final = 100

Body = Mapping[str, Any]
#: Rules that a text breaks, and how surely, 0..1. Never a word of the text, nor of the model's.
Verdict = tuple[tuple[str, float], ...]
Read = Callable[[Body], Verdict]


class NobodyToAsk(Exception):
    """No model may be asked here."""


class TooLong(Exception):
    """There is more to show than a check shows."""


class Late(Exception):
    """The deadline passed before everything was asked."""


class Asker:
    """Puts a check's bodies to its model, and remembers the verdicts. Safe for threads.

    A check that cannot be sure raises: without somebody to ask, beyond MOST_CALLS, behind its
    deadline, on a model's failure, and on a reply that holds no verdict.
    """

    def __init__(self, check: Remote, path: str = CHAT, clock: Clock | None = None) -> None:
        self._check = check
        self._path = path
        self._clock = clock or SystemClock()
        self._known: Bounded[Verdict] = Bounded(self._clock, _CACHE_BYTES)

    def findings(self, scene: Scene, bodies: Sequence[Body], read: Read) -> list[Finding]:
        """What the model says of ``bodies``: each rule once, with its highest score."""
        highest: dict[str, float] = {}
        for verdict in self._verdicts(scene.ask, bodies, read):
            for rule, score in verdict:
                highest[rule] = max(score, highest.get(rule, 0.0))
        return [Finding(rule, score, 0, 0) for rule, score in highest.items()]

    def _verdicts(self, ask: Ask | None, bodies: Sequence[Body], read: Read) -> list[Verdict]:
        if ask is None:
            raise NobodyToAsk("no model may be asked here")
        if len(bodies) > MOST_CALLS:
            raise TooLong(f"{len(bodies)} calls, and at most {MOST_CALLS} are made")
        until = self._clock.monotonic() + self._check.timeout

        def verdict(body: Body) -> Verdict:
            return self._verdict(ask, body, read, until)

        if len(bodies) <= 1:
            return [verdict(body) for body in bodies]
        with ThreadPoolExecutor(min(_AT_ONCE, len(bodies))) as pool:
            return list(pool.map(verdict, bodies))

    def _verdict(self, ask: Ask, body: Body, read: Read, until: float) -> Verdict:
        key = hashlib.sha256(strictjson.dumps(body)).hexdigest()
        known = self._known.get("", key)
        if known is not None:
            return known
        seconds = until - self._clock.monotonic()
        if seconds <= 0:
            raise Late(f"{self._check.timeout:g} s are over")
        verdict = read(ask(self._check.model, self._path, body, seconds))
        size = _VERDICT_BYTES * (1 + len(verdict))
        self._known.set("", key, verdict, size=size, ttl=self._check.cache)
        return verdict
