"""What each command does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_gateway.cli.home import UNNAMED, Home, add_cluster
from ai_gateway.cli.output import form_of, show
from ai_gateway.client import AI_Gateway, Forbidden, Key, Route, clusters
from ai_gateway.clock import SystemClock
from ai_gateway.settings import Settings

_ROUTE = ("name", "path", "methods", "target", "function", "auth", "rateLimit")
_KEY = ("id", "prefix", "name", "status", "owner", "team", "tenant", "scopes", "expires_at", "key")
_METRIC = ("type", "name", "labels", "value", "share", "count", "mean", "p50", "p95", "p99")
_STEP = ("path", "action", "keys")


def gateway_of(options: argparse.Namespace) -> AI_Gateway:
    """The gateway that is meant, with the environment's key, else the one kept for its cluster.

    Raises ValueError where there is no key. A key that was kept goes to its own cluster alone.
    """
    home = Home.read()
    cluster = None if options.url else options.cluster or home.cluster
    kept = None if options.url else home.keys.get(cluster or UNNAMED)
    key = Settings.read().admin_key or kept
    if not key:
        raise ValueError(
            "API key required: set AI_GATEWAY_API_KEY, or ai-gateway-cli init --key KEY"
        )
    gateway = AI_Gateway(api_key=key)
    if options.url:
        return gateway.connect(url=options.url)
    return gateway.connect(cluster=cluster) if cluster else gateway


def init(options: argparse.Namespace) -> None:
    """Say once which gateway is meant, with which key, and which file `apply` reads."""
    home = Home.read()
    AI_Gateway(
        api_key="none" if options.key is None else options.key,
        url=clusters.DEFAULT if options.url is None else options.url,
    )  # raises for what is no key or no URL
    if options.config is not None:
        config = Path(options.config).absolute()
        if not config.is_file():
            raise ValueError(f"{options.config} is no file")
        home = replace(home, config=config)
    if options.cluster or options.url or options.key is not None:
        name = options.cluster or home.cluster or UNNAMED
        keys = home.keys
        if options.key is not None:
            keys = {**keys, name: options.key}
        url = add_cluster(name, options.url)
        home = replace(home, cluster=name, keys=keys)
        sys.stderr.write(f"cluster {name} at {url}\n")
    home.write()
    told = "; the key stands there, readable by you alone" if options.key is not None else ""
    sys.stderr.write(f"kept in ~/.config/ai-gateway{told}\n")


def apply(options: argparse.Namespace) -> None:
    """Add the routes of a file that are missing, and change those that differ."""
    from ai_gateway.cli import applying  # noqa: PLC0415 - it knows the bundle's YAML: slow

    gateway, routes, steps = _planned(options)
    applying.run(gateway, steps, routes[0].version if routes else None)
    _tell(steps, options)


def check(options: argparse.Namespace) -> None:
    """Say what `apply` would do, and do nothing."""
    _tell(_planned(options)[2], options)


def _planned(options: argparse.Namespace) -> tuple[AI_Gateway, list[Route], list[Any]]:
    from ai_gateway.cli import applying, desired  # noqa: PLC0415 - as in apply

    file = options.file or Home.read().config
    if file is None:
        raise ValueError("no file: ai-gateway-cli init --config FILE, or name one")
    wanted = desired.read(Path(file))
    gateway = gateway_of(options)
    routes = gateway.routes()
    return gateway, routes, applying.plan(wanted, routes)


def _tell(steps: Sequence[Any], options: argparse.Namespace) -> None:
    rows = [step.row() for step in steps]
    show(rows, rows, _STEP, options.format)


def routes(options: argparse.Namespace) -> None:
    """List the routes."""
    found = [dict(route.entry) for route in gateway_of(options).routes()]
    show(found, found, _ROUTE, options.format)


def add_route(options: argparse.Namespace) -> None:
    """Proxy a path to a target; the administrator's alone until it is secured."""
    if not options.path.startswith("/"):
        raise ValueError(f"Invalid route path {options.path!r}: it begins with /")
    more = {} if options.name is None else {"name": options.name}
    gateway = gateway_of(options)
    route = gateway.create_route(options.path, options.target, options.method or ["POST"], **more)
    show(dict(route.entry), [route.entry], _ROUTE, options.format)


def delete_route(options: argparse.Namespace) -> None:
    """Take a route out, by its name."""
    gateway_of(options).delete_route(options.name)
    row = {"name": options.name, "deleted": True}
    show(row, [row], ("name", "deleted"), options.format)


def secure(options: argparse.Namespace) -> None:
    """Say who may call an endpoint, and how often."""
    said: dict[str, Any] = {}
    if options.auth is not None:
        said["auth"] = options.auth.split(",")
    if options.rate_limit is not None:
        said["rate_limit"] = options.rate_limit
    found = gateway_of(options).secure(options.endpoint, **said)
    rows = [{"endpoint": found.endpoint, **route} for route in found.routes]
    show(rows, rows, ("endpoint", "name", "auth", "rateLimit"), options.format)


def metrics(options: argparse.Namespace) -> None:
    """Show what the gateway's process has counted since it started."""
    rows = gateway_of(options).metrics(options.type, options.endpoint)
    show(rows, rows, _METRIC, options.format)


def models(options: argparse.Namespace) -> None:
    """List the models, credentials masked."""
    found = gateway_of(options).models()
    rows = [{"name": name, **model} for name, model in found.items()]
    show(found, rows, ("name", "model_id", "url", "dialect"), options.format)


def logs(options: argparse.Namespace) -> None:
    """Show recorded requests, a line each, oldest first; -f goes on with those that come."""
    from ai_gateway.cli import logs as showing  # noqa: PLC0415 - for this alone

    said = {name: getattr(options, name) for name in ("route", "model", "status", "outcome")}
    if options.since is not None:
        said["since"] = showing.moment(options.since, SystemClock().now())
    gateway = gateway_of(options)
    page = gateway.requests(**said, limit=options.limit)
    showing.write(reversed(page.rows), options.format)
    if options.follow:
        showing.Following(gateway, said, options.format).run(page.cursor)


def explain(options: argparse.Namespace) -> None:
    """Explain one recorded request: what was asked, who could answer, who did, and why."""
    found = gateway_of(options).explain(options.id)
    if form_of(options.format) == "json":
        show(found, [], (), "json")
        return
    from ai_gateway.cli.explaining import page  # noqa: PLC0415 - for this alone

    sys.stdout.write(page(found))


def status(options: argparse.Namespace) -> None:
    """Say whether the gateway serves, and whether it takes the key."""
    gateway = gateway_of(options)
    row = {"url": gateway.url, **gateway.ready(), "key": "accepted"}
    try:
        gateway.routes()
    except Forbidden:
        row["key"] = "accepted, without the scope routes"
    show(
        row,
        [{"what": name, "is": value} for name, value in row.items()],
        ("what", "is"),
        options.format,
    )


def config(options: argparse.Namespace) -> None:
    """Show or change from which level on the running gateway writes log lines."""
    said = {} if options.log_level is None else {"level": options.log_level}
    row = gateway_of(options).log_level(**said)
    show(row, [row], ("level", "declared"), options.format)


def list_keys(options: argparse.Namespace) -> None:
    """List the issued keys; their texts are known to nobody."""
    filters = {"prefix": options.prefix, "owner": options.owner, "tenant": options.tenant}
    _show_keys(gateway_of(options).keys.list(**filters), options)


def create_key(options: argparse.Namespace) -> None:
    """Make a key; its text is shown this once."""
    names = ("owner", "team", "tenant", "scopes", "routes", "models", "expires_in", "parent")
    said = {name: getattr(options, name) for name in names}
    more = {name: value for name, value in said.items() if value is not None}
    _show_key(gateway_of(options).keys.create(options.name, **more), options)


def revoke_key(options: argparse.Namespace) -> None:
    """End a key, and all that hangs on it, at once."""
    _show_key(gateway_of(options).keys.revoke(options.id), options)


def rotate_key(options: argparse.Namespace) -> None:
    """Make a key that follows another one; for a while both work."""
    _show_key(gateway_of(options).keys.rotate(options.id, options.overlap), options)


def _show_key(key: Key, options: argparse.Namespace) -> None:
    row = dict(key.entry) if key.text is None else {**key.entry, "key": key.text}
    show(row, [row], _KEY, options.format)


def _show_keys(keys: Sequence[Key], options: argparse.Namespace) -> None:
    rows = [dict(key.entry) for key in keys]
    show(rows, rows, _KEY, options.format)
