"""What attacks need: a listener that nothing may reach, and a gateway with everything on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import yaml

from ai_gateway.manifest.load import load
from ai_gateway.reload import Reloader
from ai_gateway.simulator import endpoints
from runner import application
from tests.access.oidc import provider, rsa_signer
from tests.conftest import ROOT

RSA = rsa_signer()


@dataclass
class Trap:
    """Where nobody may connect to; it counts who does, and keeps what they send."""

    port: int
    #: What it says to whoever comes.
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    seen: list[bytes] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address, as a base URL of a model."""
        return f"http://{self.host}/v1"


@contextmanager
def trapping() -> Iterator[Trap]:
    """A trap for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        trap = Trap(server.getsockname()[1])
        thread = threading.Thread(target=_catch, args=(server, trap), daemon=True)
        thread.start()
        yield trap
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def _catch(server: socket.socket, trap: Trap) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return
        with caller:
            caller.settimeout(5)
            trap.seen.append(caller.recv(65536))
            caller.sendall(trap.answer)


@pytest.fixture
def trap() -> Iterator[Trap]:
    """A listener on loopback."""
    with trapping() as found:
        yield found


@pytest.fixture
def other() -> Iterator[Trap]:
    """A second listener."""
    with trapping() as found:
        yield found


@pytest.fixture
def idp():
    """An OpenID provider with one key."""
    with provider(RSA) as found:
        yield found


WORDS = """
version: 1
name: words
checks:
  - {name: words, type: phrases, stages: [input, output, tool], action: block, phrases: [xyzzy]}
"""
#: What the default bundle does not have; TARGET is where the proxied ones lead.
MORE = """
- {path: /open-target, target: TARGET, methods: [GET, POST], auth: none}
- path: /predict
  target: TARGET
  methods: [GET, POST, PUT, PATCH, DELETE]
  auth: [api-key, jwt]
  credentials: {token: "${PROXIED_TOKEN}"}
- {path: /admin/judge-tick, function: "functions.judge_tick:handle", auth: api-key}
- {path: /admin/compact, function: "functions.compact:handle", auth: api-key}
- {path: /admin/prune, function: "functions.prune:handle", auth: api-key}
- path: /cached
  function: functions.v1.chat_completions:handle
  auth: [api-key, jwt]
  routing: {models: [model-a]}
  cache: {semantic: {model: embedder, threshold: 0.8}}
  shadow: {model: model-b}
  retries: {attempts: 2}
  fallback: {models: [model-b]}
  rateLimit: 100000/min
"""
SECTIONS = """
allowed_hosts: [127.0.0.1, localhost]
limits:
- {name: each-key, per: key, requests: 100000/min, tokens: 1000000000/min, assume: 4096}
jwt:
- {issuer: "${ISSUER}", name: idp, audience: gateway, claims: {tenant: tid}}
"""
#: Models of the stand-in for every kind of route: endpoint, name there, dialect.
KINDS = {
    "embedder": ("embedder", "simulated/embedder", "openai"),
    "ranker": ("ranker", "simulated/ranker", "openai"),
    "media": ("media", "simulated/media", "openai"),
    "claude": ("anthropic", "claude-simulated", "anthropic"),
    "iris": ("classifier", "classifier", "oip"),
}


def bundle(simulator, target: str | None = None, **each: object) -> tuple[str, str]:
    """The routes and models of the default bundle and all that it leaves off, as YAML.

    ``each`` is what every route gets.
    """
    shipped = yaml.safe_load((ROOT / "routes.yaml").read_text())
    bases = endpoints(simulator.url)
    given = shipped["routes"] + yaml.safe_load(MORE.replace("TARGET", target or bases["model-a"]))
    routes = [{**route, **each} for route in given]
    for route in routes:
        if route["auth"] == ["api-key", "platform"]:
            route["auth"] = ["api-key", "jwt"]
    models = "".join(
        f"  {name}: {{url: {bases[base]}, model_id: {model_id}, dialect: {dialect}, "
        'credentials: {token: "${MODEL_A_TOKEN}"}}\n'
        for name, (base, model_id, dialect) in KINDS.items()
    )
    sections = {"jobs": shipped["jobs"], **yaml.safe_load(SECTIONS)}
    return yaml.safe_dump(routes, sort_keys=False) + yaml.safe_dump(sections), models


@pytest.fixture
def everything(start, simulator, idp):
    """The default bundle's routes and what it leaves off: targets, tokens, a cache, limits."""

    def run(target=None, *, policies=None, each=None, models="", **changed):
        text, more = bundle(simulator, target, **(each or {}))
        given = {"ISSUER": idp.url, "PROXIED_TOKEN": "of-the-target", **changed}
        gateway = start(text, policies=policies or {"words": WORDS}, models=more + models, **given)
        follow(gateway)
        return gateway

    return run


def follow(gateway) -> Reloader:
    """What puts changes of the gateway's bundle in force."""
    app = gateway.client.application

    def swap(bundle) -> None:
        app.wsgi_app.app = application(gateway.service.snapshot(bundle)).wsgi_app

    return Reloader(gateway.service, gateway.snapshot.bundle, swap)


def told(settings) -> str:
    """All that is wrong with a bundle, as `check` prints it."""
    _, problems = load(settings)
    return "\n".join(map(str, problems))
