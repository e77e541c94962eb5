"""serve | job NAME | check | simulate | demo: it dispatches, nothing else."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import flask
from tqdm import tqdm
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter

from ai_gateway import cai, demo, hosting, jobs, wsgi
from ai_gateway.arguments import parse
from ai_gateway.dispatch import Response, no_route, refused_early
from ai_gateway.manifest.load import Bundle, load
from ai_gateway.manifest.problem import counted
from ai_gateway.reload import Reloader
from ai_gateway.service import Service, Snapshot
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables
from ai_gateway.telemetry import logs


class _Rest(BaseConverter):
    part_isolating = False
    regex = ".*"


def application(snapshot: Snapshot) -> flask.Flask:
    """The functions of one bundle as a Flask app."""
    app = flask.Flask("ai-gateway", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.converters["rest"] = _Rest
    app.url_map.merge_slashes = app.url_map.strict_slashes = False  # they would redirect
    endpoints = [
        wsgi.Endpoint(route, snapshot.bundle.handlers[route.name], snapshot)
        for route in snapshot.bundle.manifest.routes
    ]
    for endpoint in endpoints:
        _add(app, endpoint)
    app.register_error_handler(HTTPException, lambda error: _no_route(error, snapshot))
    app.wsgi_app = wsgi.FixedPaths(endpoints, app.wsgi_app)  # type: ignore[method-assign] # Flask's own way
    return app


def _add(app: flask.Flask, endpoint: wsgi.Endpoint) -> None:
    def view(**path_parameters: str) -> flask.Response:
        return _flask(endpoint.answer(flask.request.environ, path_parameters))

    route = endpoint.route
    path = wsgi.rule(route.path)
    app.add_url_rule(path, route.name, view, methods=route.methods)
    if route.target:
        below = f"{path.rstrip('/')}/<path:below>"
        app.add_url_rule(below, f"{route.name}/", view, methods=route.methods)


def _no_route(error: HTTPException, snapshot: Snapshot) -> flask.Response:
    allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    return _flask(no_route(flask.request.method, flask.request.path, allowed, snapshot))


def _flask(response: Response) -> flask.Response:
    return flask.Response(response.body, response.status, wsgi.headers(response))


LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(options: argparse.Namespace) -> int:
    """Answer requests until told to stop."""
    settings, bundle = _bundle(options)
    served = hosting.ServerOptions(
        host=options.host,
        port=settings.port if options.port is None else options.port,
        max_body=lambda path: service.current.max_body(path),  # noqa: PLW0108 - reloads change it
        shape=lambda path: service.current.shape(path),  # noqa: PLW0108 - the same
        tls=settings.tls,
        control=options.control,
    )
    if options.workers > 1 and options.control is None:
        command = [sys.executable, *sys.argv]
        return hosting.supervise(command, options.workers, served, ready=_ready)
    service = Service(settings, loopback=options.host in LOOPBACK)
    service.start()
    service.keys.start()
    service.current = service.snapshot(bundle)
    service.limits.prepare()
    current = hosting.Current(application(service.current))

    def swap(changed: Bundle) -> None:
        snapshot = service.snapshot(changed)
        current.app = application(snapshot)
        service.current = snapshot

    reloader = Reloader(service, bundle, swap, workers=options.workers).start()

    def stopping() -> None:
        reloader.stop()
        service.close()

    return hosting.serve(
        current,
        served,
        ready=_ready if options.control is None else _silent,
        stopping=stopping,
        on_hangup=reloader.reload,
        on_refused=lambda refusal: refused_early(service.current, refusal),
    )


def job(options: argparse.Namespace) -> int:
    """One tick of a job, or one after another."""
    settings, bundle = _bundle(options, serving=False)
    wanted = next((job for job in bundle.manifest.jobs if job.name == options.name), None)
    if wanted is None:
        names = ", ".join(job.name for job in bundle.manifest.jobs) or "none"
        sys.exit(f"There is no job {options.name!r}; routes.yaml has {names}.")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    service = Service(settings, progress=partial(tqdm, unit="answer", disable=None))
    try:
        show = partial(print, flush=True)
        return jobs.keep_ticking(service, bundle, wanted, every=options.every, stop=stop, show=show)
    finally:
        service.close()


def check(options: argparse.Namespace) -> int:
    """Say everything that is wrong with the bundle."""
    _, bundle = _bundle(options)
    manifest = bundle.manifest
    counts = f"{len(manifest.routes)} routes, {len(manifest.models)} models"
    print(f"{options.bundle}: {counts}, {len(bundle.policies.names)} policies; no problem found")
    return 0


def simulate(options: argparse.Namespace) -> int:
    """The stand-in Inference Service, in the foreground."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    simulator = Simulator(port=options.port)
    for name, value in variables(simulator.url).items():
        _say(f"export {name}={shlex.quote(value)}")
    simulator.serve_forever()
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _ready(url: str) -> None:
    _say(f"AI gateway at {url}")


def _silent(_url: str) -> None:
    """One of several workers: the supervisor says it for all."""


def _bundle(options: argparse.Namespace, *, serving: bool = True) -> tuple[Settings, Bundle]:
    settings = Settings.read(options.bundle)
    sys.path.insert(0, str(options.bundle))
    if getattr(options, "simulate", False):
        stand_in = variables(Simulator().start().url)
        settings = replace(settings, variables={**settings.variables, **stand_in})
    workers, host = getattr(options, "workers", 1), getattr(options, "host", "127.0.0.1")
    loopback = host in LOOPBACK
    bundle, problems = load(settings, workers=workers, loopback=loopback, serving=serving)
    if bundle is None:
        sys.exit("\n".join([*map(str, problems), f"{counted(problems)}; nothing was started"]))
    return settings, bundle


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    commands = {"serve": serve, "job": job, "check": check, "simulate": simulate, "demo": demo.run}
    command = parse(commands, Path(__file__).parent, arguments)
    if problem := logs.configure(Settings.read()):
        sys.exit(problem)
    return command()


if __name__ == "__main__":
    if cai.in_kernel():
        cai.run_outside("runner.py", Settings.read().task)
    else:
        sys.exit(main())
