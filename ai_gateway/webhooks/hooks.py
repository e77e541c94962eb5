"""Events on their way: told in a moment, sent by threads of their own, in order, until taken.

Whoever tells of something waits for one small write at most, and never for a receiver. From then on
the event survives ``kill -9``: it is delivered at least once, by this process or by the next that
opens the same write-ahead folder, or becomes a dead letter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from random import Random
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final

from ai_gateway import strictjson
from ai_gateway.clock import Clock
from ai_gateway.errors import GatewayError
from ai_gateway.ids import new_id
from ai_gateway.metrics import Metrics
from ai_gateway.records import Records
from ai_gateway.records.outbox import Outbox, Slip
from ai_gateway.resilience.aside import Ending
from ai_gateway.upstream import Upstreams, address
from ai_gateway.watch import Watch
from ai_gateway.webhooks import letters, messages
from ai_gateway.webhooks.declared import OF_REQUEST
from ai_gateway.webhooks.lanes import Lanes, Pending
from ai_gateway.webhooks.messages import Message
from ai_gateway.webhooks.receivers import BUNDLE, Receiver
from ai_gateway.webhooks.sender import Outcome, Sender

if TYPE_CHECKING:
    from ai_gateway.answer.record import Decision
    from ai_gateway.limits.spending import Alert

log = logging.getLogger(__name__)

FOLDER: Final = "webhooks"  # below the write-ahead folder
MOST: Final = 10_000  # messages that one callback has waiting; further ones are dead letters
THREADS: Final = 8
_AT_ONCE: Final = 4  # of them for one callback
_LOOK: Final = 10.0  # seconds between looks at what dead processes left
_DRAIN: Final = 3.0  # seconds that an end waits for what can be sent now
_CUT: Final = 1.0  # seconds that it then waits for what is being sent


class Webhooks:
    """Tells receivers. It outlives reloads, and any thread may tell it.

    Args:
        wal: The write-ahead folder.
        environment: As of Upstreams.
        records: Where dead letters go.
        clock: Whose monotonic time waits are in.
        random: Of jitter and ids.
        metrics: What is counted.
        resolve: Host and port to addresses.
        threads: That send; with none, ``step`` does.
        most: Messages that one callback may have waiting.
    """

    def __init__(
        self,
        wal: Path,
        *,
        environment: Mapping[str, str],
        records: Records,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        resolve: address.Resolve = address.system,
        threads: int = THREADS,
        most: int = MOST,
    ) -> None:
        self._records = records
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._sender = Sender(Upstreams(clock, environment, resolve=resolve), clock)
        self._outbox = Outbox(wal / FOLDER, clock, keys=records.keyring)
        self._receivers: Mapping[str, Receiver] = {}
        self._lanes = Lanes(most, _AT_ONCE)
        self._changed = Condition()
        self._sending: set[Ending] = set()
        self._stopping = False
        self._wanted = threads
        self._threads: list[Thread] = []
        self._watch = Watch(FOLDER, _LOOK, self.take_over)

    def adopt(self, receivers: Mapping[str, Receiver]) -> None:
        """From now on these are told; what waits for one that is another now is sent to that."""
        for name in receivers:  # from nothing on, or the first rise would be seen by nobody
            self._metrics.webhooks_dead.labels(name)
        with self._changed:
            before, self._receivers = self._receivers, receivers
            for name in before:
                if before[name] != receivers.get(name):
                    self._lanes.hurry(name, self._clock.monotonic())
            self._changed.notify_all()
        if not self._threads and self._wanted:
            self._start()

    def _start(self) -> None:
        self.take_over()
        for number in range(self._wanted):
            thread = Thread(target=self._run, name=f"webhooks-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._watch.start()

    def decided(self, decision: Decision) -> None:
        """A request is over. Never raises, as nothing here that is told."""
        self._tell(messages.of_decision(decision, self._clock.monotonic()))

    def audited(self, row: Mapping[str, Any], after: object) -> None:
        """A row of the audit log was written."""
        self._tell(messages.of_audit(row, after))

    def alerted(self, alert: Alert) -> None:
        """A budget is nearly or wholly spent."""
        self._tell(messages.of_budget(alert))

    def published(self, weights_id: str, scores: Mapping[str, float]) -> None:
        """The judge has published scores."""
        self._tell(messages.of_weights(weights_id, scores))

    def _tell(self, told: Iterator[Message]) -> None:
        try:
            for message in told:
                receiver = self._receiver(message)
                if receiver is not None and message.kind in receiver.events:
                    self._accept(receiver.name, message)
        except Exception:  # a request must not fail by what is told of it
            log.exception("an event is lost")

    def _receiver(self, message: Message) -> Receiver | None:
        """Its route's, or the bundle's."""
        own = self._receivers.get(message.route or "") if message.kind in OF_REQUEST else None
        return own or self._receivers.get(BUNDLE)

    def _accept(self, callback: str, message: Message) -> None:
        message_id = message.fixed_id or new_id(self._clock, self._random)
        body = message.written(message_id, self._clock.now())
        pending = Pending(callback, message.route or "", message_id, body)
        with self._changed:
            if not self._lanes.full(callback):
                self._save(pending)
                self._enqueue(pending)
                return
        self._bury(pending, letters.QUEUE_FULL)

    def _save(self, pending: Pending) -> None:
        try:
            self._put(pending)
        except OSError as error:
            self._metrics.webhooks.labels(pending.callback, "unsaved").inc()
            log.error("an event is kept in memory only: %s", error.strerror)  # noqa: TRY400 - foreseen

    def _put(self, pending: Pending) -> None:
        pending.slip = self._outbox.put(b"%b %b" % (pending.callback.encode(), pending.body))

    def _save_late(self) -> None:
        """Write down what the disk did not take when it came."""
        with self._changed, suppress(OSError):
            for pending in self._lanes.unsaved():
                self._put(pending)

    def _enqueue(self, pending: Pending) -> None:
        self._lanes.add(pending, self._clock.monotonic())
        self._count(pending.callback)
        self._changed.notify()

    def take_over(self) -> None:
        """Send what dead processes left, and keep what the disk did not take before."""
        self._save_late()
        try:
            slips = self._outbox.adopt()
        except OSError as error:
            log.error("the outbox cannot be read: %s", error.strerror)  # noqa: TRY400 - foreseen
            return
        # Their files may hold them in another order: what waits for long is written anew.
        for _, pending in sorted(_left(slips), key=itemgetter(0)):
            with self._changed:
                full = self._lanes.full(pending.callback)
                if not full:
                    self._enqueue(pending)
            if full:
                self._bury(pending, letters.QUEUE_FULL)
                self._strike(pending)

    def _run(self) -> None:
        while (pending := self._next()) is not None:
            self._attempt(pending)

    def _next(self) -> Pending | None:
        """What to send, once there is something; None at the end."""
        with self._changed:
            while not self._stopping:
                now = self._clock.monotonic()
                if pending := self._lanes.take(now):
                    return pending
                self._changed.wait(self._lanes.wait(now))
            return None

    def step(self) -> bool:
        """Send what is due first; False where nothing is."""
        with self._changed:
            pending = self._lanes.take(self._clock.monotonic())
        if pending is not None:
            self._attempt(pending)
        return pending is not None

    def wait(self) -> float | None:
        """Seconds until something is due; None where nothing waits."""
        with self._changed:
            return self._lanes.wait(self._clock.monotonic())

    def _attempt(self, pending: Pending) -> None:
        receiver = self._receivers.get(pending.callback)
        if receiver is None:
            self._give_up(pending, letters.NO_CALLBACK)
            return
        try:
            outcome = self._sent(receiver, pending)
        except Exception:  # the thread must live on, and the message is still there
            log.exception("the webhook %s failed", pending.message_id)
            outcome = Outcome(reason="internal_error", said="Something failed in here.")
        self._settle(pending, receiver, outcome)

    def _sent(self, receiver: Receiver, pending: Pending) -> Outcome:
        """What an attempt came to, which the end of the process ends."""
        ending = Ending()
        with self._changed:
            self._sending.add(ending)
            if self._stopping:
                ending.end()
        try:
            return self._sender.send(receiver, pending.message_id, pending.body, ending)
        finally:
            with self._changed:
                self._sending.discard(ending)

    def _settle(self, pending: Pending, receiver: Receiver, outcome: Outcome) -> None:
        if outcome.cut:
            self._later(pending, 0.0)
            return
        if not outcome.taken and self._receivers.get(pending.callback) != receiver:
            self._later(pending, 0.0)  # whoever is told instead by now has not refused it
            return
        pending.attempts += 1
        if outcome.taken:
            self._metrics.webhooks.labels(pending.callback, "delivered").inc()
            self._over(pending)
            return
        self._metrics.webhooks.labels(pending.callback, "failed").inc()
        retries = receiver.retries
        if outcome.final or pending.attempts >= retries.attempts:
            log.error("the callback of %s did not take an event: %s", receiver.name, outcome.said)
            self._give_up(pending, outcome.reason, outcome.status)
            return
        log.warning("the callback of %s did not take an event: %s", receiver.name, outcome.said)
        longest = min(retries.max_backoff, retries.backoff * 2 ** (pending.attempts - 1))
        self._later(pending, max(outcome.wait, self._random.uniform(0.0, longest)))

    def _later(self, pending: Pending, wait: float) -> None:
        with self._changed:
            self._lanes.later(pending, self._clock.monotonic() + wait)
            self._changed.notify_all()

    def _over(self, pending: Pending) -> None:
        self._strike(pending)
        with self._changed:
            self._lanes.over(pending, self._clock.monotonic())
            self._count(pending.callback)
            self._changed.notify_all()

    def _give_up(self, pending: Pending, reason: str, status: int | None = None) -> None:
        self._bury(pending, reason, status)
        self._over(pending)

    def _bury(self, pending: Pending, reason: str, status: int | None = None) -> None:
        """Make it a dead letter, which is kept before it is forgotten elsewhere."""
        row = letters.row(pending, self._clock.now(), reason, status)
        self._records.append("webhooks", row)
        self._metrics.webhooks_dead.labels(pending.callback).inc()

    def _strike(self, pending: Pending) -> None:
        if pending.slip is not None:
            self._outbox.done(pending.slip)

    def _count(self, callback: str) -> None:
        self._metrics.webhooks_waiting.labels(callback).set(self._lanes.waiting(callback))

    def close(self, drain: float = _DRAIN) -> None:
        """Send what can be sent within ``drain`` seconds; the rest stays on disk."""
        self._watch.stop()
        by = self._clock.monotonic() + drain
        with self._changed:
            while self._threads and self._lanes.active(now := self._clock.monotonic()) and now < by:
                self._changed.wait(by - now)
            self._stopping = True
            self._changed.notify_all()
            sending = list(self._sending)
        for ending in sending:
            ending.end()
        by = self._clock.monotonic() + _CUT
        for thread in self._threads:
            thread.join(max(0.0, by - self._clock.monotonic()))
        self._save_late()
        self._outbox.close()
        self._sender.close()


def _left(slips: Iterable[Slip]) -> Iterator[tuple[str, Pending]]:
    """What a dead process left, as it was, and when each came to be."""
    for slip in slips:
        callback, _, body = slip.body.partition(b" ")
        try:
            said = strictjson.loads(body)
            route, event_id, created_at = said["route"] or "", said["id"], said["created_at"]
        except (GatewayError, KeyError, TypeError):  # of another version: the start must not fail
            log.error("an event in the outbox is not one of ours, and is left there")  # noqa: TRY400 - foreseen
            continue
        yield created_at, Pending(callback.decode(), route, event_id, body, slip)
