"""The simulator as an HTTP server in threads of this process."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from ai_gateway.simulator import conversation, entrances, faults, reply, service, text
from ai_gateway.simulator.entrances import Question, Request, Target
from ai_gateway.simulator.faults import Fault
from ai_gateway.simulator.reply import Reply
from ai_gateway.simulator.wire import Server

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request to an endpoint and the status of its reply; headers stay out of ``repr``."""

    endpoint: str
    method: str
    path: str
    body: dict[str, Any] | None
    status: int
    headers: Mapping[str, str] = field(repr=False)


class Simulator(AbstractContextManager["Simulator"]):
    """A stand-in Inference Service on a loopback port.

    ``seed`` varies the answers, ``latency`` (seconds) delays each chat completion, ``faults`` maps
    an endpoint's name to a directive (``status=503-text; times=2``) and may be changed at any time.
    ``requests`` holds the newest 10,000 requests, ``counts`` the number an endpoint has had, and
    ``disconnects`` how many of their callers left before the end of the reply.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        seed: int = 0,
        latency: float = 0.0,
        faults: Mapping[str, str] | None = None,
    ) -> None:
        self.seed = seed
        self.latency = latency
        self.faults = dict(faults or {})
        self.counts: Counter[str] = Counter()
        self.disconnects: Counter[str] = Counter()
        self.requests: deque[Seen] = deque(maxlen=_REMEMBERED)
        self._fired: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._server = Server((host, port), self._exchange, self._left)
        self._serving = False

    @property
    def url(self) -> str:
        """Where it listens, ``http://HOST:PORT``."""
        host, port = self._server.socket_address
        return f"http://{host}:{port}"

    def start(self) -> Simulator:
        """Serve in a thread of its own."""
        self._serving = True
        threading.Thread(target=self.serve_forever, name="simulator", daemon=True).start()
        return self

    def serve_forever(self) -> None:
        """Serve in this thread until another one calls ``stop``, or an exception ends it."""
        self._serving = True
        try:
            self._server.serve_forever(poll_interval=0.05)
        finally:
            self._server.close()

    def stop(self) -> None:
        """End all connections and free the port; again is harmless. Not from a signal handler."""
        if self._serving:
            self._server.shutdown()
        self._server.close()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _exchange(self, request: Request) -> tuple[Reply, Fault, str | None]:
        """The reply to ``request``, what befalls it on the wire, and the endpoint's name."""
        refused = entrances.refusal(request)
        target = None if refused else entrances.target(request.path)
        if target is None:
            return refused or reply.plain(404, "no such endpoint"), faults.NONE, None
        body = service.parse(request) if request.method == "POST" else {}
        answered, fault = self._answer(request, target, body)
        name = target.endpoint.name
        seen = Seen(name, request.method, request.path, body, answered.status, request.headers)
        with self._lock:
            self.counts[name] += 1
            self.requests.append(seen)
        return answered, fault, name

    def _answer(
        self, request: Request, target: Target, body: dict[str, Any] | None
    ) -> tuple[Reply, Fault]:
        dialect = service.dialect(target, request.method)
        if body is None:
            return dialect.error(400, "The body is no JSON object."), faults.NONE
        try:
            fault = self._fault(request, target, body)
        except ValueError as error:
            return dialect.error(400, f"x-simulate: {error}"), faults.NONE
        question = Question(target, body, self.seed, fault, request.headers)
        answered = faults.edit(service.answer(request.method, question), fault, dialect)
        number = text.number(self.seed, request.path, request.body.hex())
        headers = {dialect.request_id: f"req_{number:016x}", **answered.headers}
        return replace(answered, headers=headers), fault

    def _fault(self, request: Request, target: Target, body: dict[str, Any]) -> Fault:
        """The fault asked for: by the message, else the header, the path, or ``self.faults``."""
        name = target.endpoint.name
        directive = (
            conversation.directive(body)
            or request.headers.get("x-simulate")
            or target.directive
            or self.faults.get(name, "")
        )
        fault = faults.parse(directive)
        if fault.times is not None and not self._fires((name, directive), fault.times):
            fault = faults.NONE
        if request.method == "POST":
            fault = replace(fault, latency=fault.latency + self.latency)
        return fault

    def _fires(self, key: tuple[str, str], times: int) -> bool:
        with self._lock:
            if len(self._fired) > _REMEMBERED:
                self._fired.clear()
            self._fired[key] += 1
            return self._fired[key] <= times

    def _left(self, endpoint: str | None) -> None:
        with self._lock:
            self.disconnects[endpoint or ""] += 1
