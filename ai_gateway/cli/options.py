"""The command line's arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

from ai_gateway import __version__
from ai_gateway.cli import commands

_EXAMPLES = """\
examples:
  ai-gateway-cli init --cluster aimlops --key $AI_GATEWAY_API_KEY
  ai-gateway-cli init --config path/to/config.yaml
  ai-gateway-cli check
  ai-gateway-cli apply
  ai-gateway-cli add-route --path /predict --target http://ai-service:8080 --method POST
  ai-gateway-cli secure --endpoint /predict --auth api-key --rate-limit 100/min
  ai-gateway-cli metrics --type latency --endpoint /chat --format json
  ai-gateway-cli keys create --name search --route inference --expires-in 90d
  ai-gateway-cli config --log-level debug
  ai-gateway-cli logs -f --outcome failed
  ai-gateway-cli explain 01890a5dac96774bbcceb302099a8057

The key is AI_GATEWAY_API_KEY, else the one that init kept. Exit codes: 0 done, 1 refused or
failed, 2 not understood, 130 ended by Ctrl-C.
"""
_TEXT = argparse.RawDescriptionHelpFormatter


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as every command does."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"Error: {message}\n")


def parse(arguments: Sequence[str] | None) -> Callable[[], None]:
    """What runs the command that ``arguments`` name; exits with 2 where they name none."""
    parser = _Parser(
        "ai-gateway-cli",
        description="Change and watch a running AI gateway.",
        epilog=_EXAMPLES,
        formatter_class=_TEXT,
    )
    parser.add_argument("--version", action="version", version=__version__)
    named = parser.add_subparsers(required=True, metavar="COMMAND")
    _init(_add(named, "init", commands.init, shared=False))
    for name, command, add in _COMMANDS:
        add(_add(named, name, command))
    keys = named.add_parser("keys", help="Issued keys: list, create, revoke, rotate.")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    for name, command, add in _KEYS:
        add(_add(actions, name, command))
    options = parser.parse_args(arguments)
    if options.command is commands.secure and options.auth is None and options.rate_limit is None:
        parser.error("say --auth, --rate-limit or both")
    if options.command is commands.init and not any(
        value is not None for value in (options.cluster, options.url, options.key, options.config)
    ):
        parser.error("say --cluster, --url, --key or --config")
    return partial(options.command, options)


def _add(named: Any, name: str, command: Any, *, shared: bool = True) -> argparse.ArgumentParser:
    summary = (command.__doc__ or "").splitlines()[0]
    parser: argparse.ArgumentParser = named.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=command)
    if shared:
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--cluster", help="another one than init named")
        where.add_argument("--url", help="a gateway that has no name: http://HOST:PORT")
        parser.add_argument(
            "--format", choices=["table", "json"], help="default: a table in a terminal, else JSON"
        )
    return parser


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cluster", help="the gateway's name in ~/.config/ai-gateway")
    parser.add_argument("--url", help="where it is; default: as before, or http://127.0.0.1:8080")
    parser.add_argument("--key", help="kept for this cluster in a file that you alone can read")
    parser.add_argument("--config", metavar="FILE", help="the YAML file that apply reads")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="default: the one that init named")


def _nothing(_parser: argparse.ArgumentParser) -> None:
    pass


def _add_route(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--path", required=True, help="what callers ask for: /predict")
    parser.add_argument("--target", required=True, help="where it goes: http://HOST:PORT")
    parser.add_argument("--method", action="append", help="may be repeated; default: POST")
    parser.add_argument("--name", help="default: made of the path")


def _delete_route(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="as `routes` shows it")


def _secure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", required=True, help="a route's path: /predict")
    parser.add_argument("--auth", help="none, api-key, jwt, platform; several with commas")
    parser.add_argument("--rate-limit", help="100/min, 5/s, or a number a minute")


def _metrics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", help="latency, requests, errors, tokens, cost, cache, ...")
    parser.add_argument("--endpoint", help="of the routes with this path alone")


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--route", help="of this route alone, by its name")
    parser.add_argument("--model", help="that this model was chosen for")
    parser.add_argument("--status", type=int, help="answered with this status")
    outcomes = ["served", "refused", "failed"]
    parser.add_argument("--outcome", choices=outcomes, help="below 400, below 500, 500 and more")
    parser.add_argument("--since", help="10m, 2h, or a time such as 2026-03-01T12:00:00Z")
    parser.add_argument("--limit", type=int, default=100, help="the newest ones; default: 100")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="REQUEST_ID", help="as `logs` and x-request-id have it")


def _config(parser: argparse.ArgumentParser) -> None:
    levels = ["debug", "info", "warning", "error", "critical"]
    parser.add_argument("--log-level", choices=levels, help="default: show the one in force")


def _list_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prefix", help="how the key begins")
    parser.add_argument("--owner")
    parser.add_argument("--tenant")


def _create_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="what it is for")
    parser.add_argument("--owner", help="whose it is")
    parser.add_argument("--team")
    parser.add_argument("--tenant")
    for name in ("scope", "route", "model"):
        parser.add_argument(
            f"--{name}", action="append", dest=f"{name}s", help="one it is given; may be repeated"
        )
    parser.add_argument("--expires-in", help="90d; default: never")
    parser.add_argument("--parent", metavar="ID", help="the key that it may not exceed")


def _revoke_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="as `keys list` shows it")


def _rotate_key(parser: argparse.ArgumentParser) -> None:
    _revoke_key(parser)
    parser.add_argument(
        "--overlap",
        type=lambda text: int(text) if text.isdecimal() else text,
        help="how long both work: 1h, 0 for not at all; default: a day",
    )


_COMMANDS = (
    ("check", commands.check, _file),
    ("apply", commands.apply, _file),
    ("routes", commands.routes, _nothing),
    ("add-route", commands.add_route, _add_route),
    ("delete-route", commands.delete_route, _delete_route),
    ("secure", commands.secure, _secure),
    ("metrics", commands.metrics, _metrics),
    ("models", commands.models, _nothing),
    ("logs", commands.logs, _logs),
    ("explain", commands.explain, _explain),
    ("status", commands.status, _nothing),
    ("config", commands.config, _config),
)
_KEYS = (
    ("list", commands.list_keys, _list_keys),
    ("create", commands.create_key, _create_key),
    ("revoke", commands.revoke_key, _revoke_key),
    ("rotate", commands.rotate_key, _rotate_key),
)
