"""A real receiver on loopback, and a gateway's webhooks on a clock that a test moves."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import pytest
from standardwebhooks import Webhook

from ai_gateway.manifest.model import Manifest
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records, to_rows
from ai_gateway.webhooks.hooks import Webhooks
from ai_gateway.webhooks.messages import Message
from ai_gateway.webhooks.receivers import receivers
from tests.clocks import Moved

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(32, 64))).decode()
Answer = tuple[int, Mapping[str, str], bytes]


@dataclass(frozen=True)
class Received:
    """One request as it came; header names are lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """What it says, once another's implementation has verified the signature."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, dict(self.headers))
        return found

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """Answers each request with what a test has scripted, else with 204."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: deque[Answer | Callable[[], Answer]] = deque()
        self.always: Answer | None = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                status, more, text = receiver.answer()
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if status != 204 and "content-length" not in more:
                    self.send_header("content-length", str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?a=b"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self) -> Answer:
        if self.always is not None:
            return self.always
        step = self.script.popleft() if self.script else (204, {}, b"")
        return step() if callable(step) else step

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What came, of these kinds."""
        found = [each.event for each in self.received]
        return [event for event in found if not kinds or event["type"] in kinds]

    def wait(self, count: int, seconds: float = 10.0) -> None:
        """Until so many requests have come."""
        end = time.monotonic() + seconds
        while len(self.received) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.received) >= count, self.received

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@dataclass
class Clock(Moved):
    """One that begins at the machine's own time, which signatures need."""

    time: float = field(default_factory=time.time)


@dataclass
class Hooks:
    """Webhooks that send when a test lets them."""

    webhooks: Webhooks
    records: Records
    metrics: Metrics
    clock: Clock

    def adopt(self, *, secrets=(SECRET,), **manifest: Any) -> None:
        """Take over the callbacks of a manifest."""
        found = Manifest.model_validate({"allowed_hosts": ["127.0.0.0/8"], **manifest})
        self.webhooks.adopt(receivers(found, secrets))

    def tell(self, *numbers: int, route: str | None = "chat", kind="request.completed") -> None:
        """Requests that are over."""
        told = (Message(kind, {"n": number}, route, "acme", f"r{number}") for number in numbers)
        self.webhooks._tell(told)

    def run(self) -> int:
        """Send all that is due now; how often something was sent."""
        count = 0
        while self.webhooks.step():
            count += 1
        return count

    def rows(self) -> list[dict[str, Any]]:
        """The dead letters' table."""
        self.records.flush()
        return to_rows(self.records.scan("webhooks"))

    def count(self, outcome: str, callback: str = "(bundle)") -> float:
        labels = {"callback": callback, "outcome": outcome}
        value = self.metrics.registry.get_sample_value("ai_gateway_webhook_events_total", labels)
        return value or 0.0

    def dead(self, callback: str = "(bundle)") -> float | None:
        return self.metrics.registry.get_sample_value(
            "ai_gateway_webhook_dead_letters_total", {"callback": callback}
        )

    def waiting(self, callback: str = "(bundle)") -> float | None:
        return self.metrics.registry.get_sample_value(
            "ai_gateway_webhook_events_waiting", {"callback": callback}
        )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks over plain HTTP."""
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def hooks(tmp_path, clock) -> Iterator[Callable[..., Hooks]]:
    """Makes webhooks with the keywords of their constructor; they are closed with the test."""
    made: list[Hooks] = []

    def make(threads: int = 0, clock: Any = clock, **more: Any) -> Hooks:
        records = Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False)
        metrics = Metrics()
        webhooks = Webhooks(
            tmp_path / "wal",
            environment={},
            records=records,
            clock=clock,
            random=Random(7),
            metrics=metrics,
            threads=threads,
            **more,
        )
        made.append(Hooks(webhooks, records, metrics, clock))
        return made[-1]

    yield make
    for each in made:
        each.webhooks.close(drain=0.0)
        each.records.close()
