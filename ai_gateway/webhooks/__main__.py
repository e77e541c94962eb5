"""``python -m ai_gateway.webhooks``: dead, resend.

``dead`` shows the events that no receiver took; ``resend`` sends them again, by the bundle's
callbacks as they are now. Exit codes: 0 done, 1 where something is still dead after ``resend``, or
the bundle or the records cannot be read, 2 a wrong command line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ai_gateway import strictjson
from ai_gateway.clock import Clock, SystemClock
from ai_gateway.manifest.load import load
from ai_gateway.records import Records, StoreUnavailable
from ai_gateway.records.command import opened
from ai_gateway.settings import Settings
from ai_gateway.upstream import Upstreams
from ai_gateway.webhooks import letters
from ai_gateway.webhooks.letters import Letter
from ai_gateway.webhooks.receivers import receivers
from ai_gateway.webhooks.resend import resend
from ai_gateway.webhooks.sender import Sender

DONE, FAILED = 0, 1


def main(
    arguments: Sequence[str] | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> int:
    """The command; its exit code."""
    options = _parser().parse_args(arguments)
    settings, clock = _at(settings or Settings.read(), options), clock or SystemClock()
    try:
        return (
            _resend(options, settings, clock) if options.send else _dead(options, settings, clock)
        )
    except StoreUnavailable as error:
        return _failed(f"the records cannot be read or written: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m ai_gateway.webhooks", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--callback", help="of this route only, or of '(bundle)'")
    shared.add_argument("--event", nargs="+", action="extend", default=[], metavar="ID")
    shared.add_argument("--data", help="where the records are; GATEWAY_DATA if left out")
    commands = parser.add_subparsers(required=True)
    dead = commands.add_parser("dead", parents=[shared], help="the events that no receiver took")
    dead.add_argument("--json", action="store_true", help="all of each, a line each")
    dead.set_defaults(send=False)
    again = commands.add_parser("resend", parents=[shared], help="send them again, in order")
    again.add_argument("--bundle", type=Path, help="the folder of routes.yaml; . if left out")
    again.set_defaults(send=True)
    return parser


def _at(settings: Settings, options: argparse.Namespace) -> Settings:
    """With the records at ``--data``, and the write-ahead folder where that has it."""
    if options.send and options.bundle:
        settings = replace(settings, bundle=options.bundle)
    if options.data is None:
        return settings
    declared = settings.variables.get("GATEWAY_WAL")
    wal = declared or (f"{options.data}/wal" if "://" not in options.data else "./wal")
    return replace(settings, data=options.data, wal=Path(wal))


@contextmanager
def _opened(settings: Settings, clock: Clock) -> Iterator[Records]:
    with opened(settings, clock) as records:
        records.flush()
        yield records


def _found(records: Records, options: argparse.Namespace) -> list[Letter]:
    return [
        letter
        for letter in letters.dead(records)
        if options.callback in (None, letter["callback"])
        and (not options.event or letter["event_id"] in options.event)
    ]


def _dead(options: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    with _opened(settings, clock) as records:
        found = _found(records, options)
    for letter in found:
        _say(strictjson.dumps(letter).decode() if options.json else _line(letter))
    if not options.json:
        _say(f"{len(found)} dead")
    return DONE


def _line(letter: Letter) -> str:
    at = datetime.fromtimestamp(letter["at"] / 1e6, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    reason = letter["reason"] if letter["status"] is None else f"status {letter['status']}"
    tries = f"{letter['attempts']} attempts"
    return "  ".join((at, letter["event_id"], letter["type"], letter["callback"], reason, tries))


def _resend(options: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    sys.path.insert(0, str(settings.bundle))  # its functions are there
    bundle, problems = load(settings, serving=False)
    if bundle is None:
        return _failed("\n".join(map(str, problems)))
    there = receivers(bundle.manifest, settings.webhook_secrets)
    sender = Sender(Upstreams(clock, settings.variables), clock)
    outcomes = []
    with _opened(settings, clock) as records:
        for tried in resend(_found(records, options), there, sender, records, clock):
            letter = tried.letter
            parts = (letter["event_id"], letter["type"], letter["callback"], tried.outcome)
            _say("  ".join((*parts, *filter(None, [tried.said]))))
            outcomes.append(tried.outcome)
    sender.close()
    sent = outcomes.count("resent")
    _say(f"{sent} resent, {len(outcomes) - sent} still dead")
    return DONE if sent == len(outcomes) else FAILED


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _failed(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
