"""Dead letters are sent again: in order, and of each callback and route up to the first failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ai_gateway.clock import Clock
from ai_gateway.records import Records
from ai_gateway.webhooks import letters
from ai_gateway.webhooks.letters import Letter
from ai_gateway.webhooks.receivers import Receiver
from ai_gateway.webhooks.sender import Sender


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one letter: ``resent``, ``failed``, or ``skipped`` behind one that failed."""

    letter: Letter
    outcome: str
    said: str = ""


def resend(
    found: Iterable[Letter],
    receivers: Mapping[str, Receiver],
    sender: Sender,
    records: Records,
    clock: Clock,
) -> Iterator[Tried]:
    """Send each of ``found`` once; one that is taken is dead no longer."""
    stuck: set[tuple[str, str]] = set()
    for letter in found:
        lane = letter["callback"], letter["route"] or ""
        if lane in stuck:
            yield Tried(letter, "skipped")
            continue
        said = _refusal(letter, receivers.get(letter["callback"]), sender)
        if said is None:
            records.append("webhooks", letters.resent(letter, clock.now()))
            yield Tried(letter, "resent")
        else:
            stuck.add(lane)
            yield Tried(letter, "failed", said)


def _refusal(letter: Letter, receiver: Receiver | None, sender: Sender) -> str | None:
    """Why it was not taken; None where it was."""
    if receiver is None:
        return f"The bundle has no callback {letter['callback']}."
    outcome = sender.send(receiver, letter["event_id"], letter["body"].encode())
    return None if outcome.taken else outcome.said
