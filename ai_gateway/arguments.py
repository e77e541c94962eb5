"""The runner's command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ai_gateway.manifest.units import duration

Command = Callable[[argparse.Namespace], int]


def parse(
    commands: Mapping[str, Command], bundle: Path, arguments: Sequence[str] | None
) -> Callable[[], int]:
    """What runs the command that ``arguments`` name, with its options."""
    parser = argparse.ArgumentParser(
        "runner.py", description="Host the functions of a bundle, or run one of its jobs."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--bundle", type=Path, default=bundle, metavar="DIR", help="the folder of routes.yaml"
    )
    named = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, add in _OPTIONS.items():
        summary = (commands[name].__doc__ or "").splitlines()[0]
        parents = [shared] if name in _OF_A_BUNDLE else []
        command = named.add_parser(name, help=summary, description=summary, parents=parents)
        command.set_defaults(command=commands[name])
        add(command)
    options = parser.parse_args(arguments)
    return partial(options.command, options)


def _serve(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--simulate", action="store_true", help="put a stand-in behind every model: made-up answers"
    )
    command.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    command.add_argument("--port", type=_port, help="default: $CDSW_APP_PORT, else 8080")
    command.add_argument("--workers", type=_count, default=1, help="processes; default: 1")
    # How a supervisor starts each of several workers.
    command.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    command.add_argument("--control", type=int, help=argparse.SUPPRESS)


def _job(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="of a job in routes.yaml, such as judge-tick")
    command.add_argument("--every", type=_duration, help="keep ticking: 30s, 5m")


def _simulate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=_port, default=9000, help="default: %(default)s")


def _demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keep", action="store_true", help="leave everything running")


def _nothing(_command: argparse.ArgumentParser) -> None:
    pass


_LAST_PORT = 65_535
_OF_A_BUNDLE = {"serve", "job", "check"}
_OPTIONS = {"serve": _serve, "job": _job, "check": _nothing, "simulate": _simulate, "demo": _demo}


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(text)
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def _duration(text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
