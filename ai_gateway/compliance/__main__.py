"""``python -m ai_gateway.compliance``: erase, erased, export, sla.

Exit codes: 0 done, 1 not (``erased``: not, or the reports do not hold; ``sla``: an objective is
not met), 2 a wrong command line, 75 where an erasure waits for another run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydantic

from ai_gateway import strictjson
from ai_gateway.cache.caches import MEMORY, Caches
from ai_gateway.chance import SystemChance
from ai_gateway.clock import Clock, SystemClock
from ai_gateway.compliance import export, sla
from ai_gateway.compliance.erasure import NAMES, Eraser, Erasure, Wanted, erased
from ai_gateway.compliance.text import table
from ai_gateway.control.audit import Audit
from ai_gateway.manifest.load import load
from ai_gateway.records import StoreUnavailable
from ai_gateway.records.command import opened
from ai_gateway.settings import Settings

DONE, FAILED, USAGE, PENDING = 0, 1, 2, 75
Command = Callable[[argparse.Namespace, Settings, Clock], int]


def main(
    arguments: Sequence[str] | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> int:
    """The command; its exit code."""
    options = _parser().parse_args(arguments)
    settings = settings or Settings.read()
    command: Command = options.command
    try:
        return command(options, _at(settings, options.data), clock or SystemClock())
    except pydantic.ValidationError as error:
        return _failed("; ".join(each["msg"] for each in error.errors()), USAGE)
    except StoreUnavailable as error:
        return _failed(f"the records cannot be read or written: {error.strerror}")
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m ai_gateway.compliance", description=__doc__)
    commands = parser.add_subparsers(required=True)
    erase = _about(commands.add_parser("erase", help="erase all rows of somebody"), _erase)
    erase.add_argument("--dry-run", action="store_true", help="count rows, change nothing")
    erase.add_argument("--grace", type=float, default=5.0, help="seconds for readers under way")
    _about(commands.add_parser("erased", help="was this erased?"), _erased)
    out = _about(commands.add_parser("export", help="all that is held on somebody"), _export)
    out.add_argument("--to", type=Path, required=True, help="FILE.jsonl, or a new folder")
    levels = commands.add_parser("sla", help="what routes promised, and what became of it")
    levels.add_argument("--data", help="where the records are; GATEWAY_DATA if left out")
    levels.add_argument("--bundle", type=Path, help="the folder of routes.yaml")
    levels.add_argument("--days", type=float, help="instead of each route's own window")
    levels.add_argument("--json", action="store_true")
    levels.set_defaults(command=_sla)
    return parser


def _about(parser: argparse.ArgumentParser, command: Command) -> argparse.ArgumentParser:
    parser.add_argument("--tenant")
    parser.add_argument("--key", help="a key's id, as records have it")
    parser.add_argument("--request", nargs="+", action="extend", default=[], metavar="ID")
    parser.add_argument("--rater", help="who gave feedback, as records have him")
    parser.add_argument("--data", help="where the records are; GATEWAY_DATA if left out")
    parser.set_defaults(command=command)
    return parser


def _at(settings: Settings, data: str | None) -> Settings:
    """With the records at ``data``, and the write-ahead folder where that has it."""
    if data is None:
        return settings
    declared = settings.variables.get("GATEWAY_WAL")
    wal = declared or (f"{data}/wal" if "://" not in data else "./wal")
    return replace(settings, data=data, wal=Path(wal))


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in NAMES}


def _erase(options: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    wanted = Erasure(**_wanted(options), dry_run=options.dry_run)
    # What is cached in the memory of a gateway is that process's own.
    caches = None if settings.state == MEMORY else Caches.of(settings.state, clock)
    with opened(settings, clock) as records:
        eraser = Eraser(records, caches, Audit(records, clock), clock, SystemChance())
        told = eraser.run(wanted, None, options.grace)
    if caches:
        caches.close()
    _say(told)
    if told["state"] == "pending":
        return PENDING
    return DONE if told.get("complete", True) and told.get("caches_forgotten", True) else FAILED


def _erased(options: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    wanted = Wanted(**_wanted(options))
    with opened(settings, clock) as records:
        told = erased(records, wanted)
    _say(told)
    return DONE if told["erased"] and told["chain"] else FAILED


def _export(options: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    wanted = Wanted(**_wanted(options))
    with opened(settings, clock) as records:
        records.flush()
        rows = export.write(records, wanted.subject(), options.to)
    _say({"to": str(options.to), "rows": rows})
    return DONE


def _sla(options: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    if options.bundle:
        settings = replace(settings, bundle=options.bundle)
    bundle, problems = load(settings, serving=False)
    if bundle is None:
        return _failed("\n".join(map(str, problems)))
    with opened(settings, clock) as records:
        records.flush()
        found = sla.report(records, bundle.manifest, clock.now(), options.days)
    if options.json:
        _say({"routes": found})
    else:
        sys.stdout.write(table(found))
    met = [each[name]["met"] for each in found for name in sla.OBJECTIVES if name in each]
    return FAILED if False in met else DONE


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(strictjson.dumps(value).decode() + "\n")


def _failed(message: str, code: int = FAILED) -> int:
    sys.stderr.write(f"{message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
