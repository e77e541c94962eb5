"""The default bundle whole, with a model for each surface, a target, and files that may change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.reload import Reloader
from ai_gateway.simulator import endpoints
from tests.conftest import ROOT, Gateway

#: Functions that ask a model of their own kind, and which one that is in the stand-in.
ASKED = {
    "embedder": ("v1.embeddings",),
    "ranker": ("v1.rerank", "v1.ranking"),
    "iris": ("v2.infer",),
    "media": (
        *("v1.images_generations", "v1.images_edits", "v1.images_variations"),
        *("v1.audio_speech", "v1.audio_transcriptions", "v1.audio_translations"),
    ),
}
TARGET = """
  - name: target
    path: /target
    target: {url}
    methods: [GET, POST]
    auth: api-key
"""


class Hurried(SystemClock):
    """Waits for nobody: an erasure would give five seconds to readers that are not there."""

    def sleep(self, _seconds: float) -> None:
        """Go on at once."""


@dataclass
class Whole:
    """Every route of the default bundle, served."""

    gateway: Gateway
    reloader: Reloader

    def document(self, **headers: str):
        """The document, as its caller gets it; the administrator unless ``headers`` say else."""
        reply = self.gateway.client.get("/openapi.json", headers=headers or self.gateway.headers)
        assert reply.status_code == 200, reply.text
        return reply.json


def default_routes() -> str:
    """The shipped routes as they are, but each asks a model that can answer it."""
    text = (ROOT / "routes.yaml").read_text().partition("\nroutes:\n")[2]
    for model, functions in ASKED.items():
        for function in functions:
            spec, more = f"functions.{function}:handle", f"routing: {{models: [{model}]}}"
            text = text.replace(f'"{spec}"', f'"{spec}", {more}')
            text = re.sub(rf"( +)function: {re.escape(spec)}\n", rf"\g<0>\1{more}\n", text)
    return text


def models(bases: dict[str, str]) -> str:
    """One model a kind, which no other route chooses."""
    kinds = {
        "claude": ("anthropic", "claude-simulated", "anthropic"),
        "embedder": ("embedder", "simulated/embedder", "openai"),
        "ranker": ("ranker", "simulated/ranker", "openai"),
        "media": ("media", "simulated/media", "openai"),
        "iris": ("classifier", "classifier", "oip"),
    }
    return "".join(
        f"  {name}: {{url: {bases[base]}, model_id: {model_id}, dialect: {dialect}, "
        "candidate: false, credentials: {token: of-the-stand-in}}\n"
        for name, (base, model_id, dialect) in kinds.items()
    )


@pytest.fixture
def target() -> Iterator[str]:
    """Something that answers whatever it is asked."""

    class Yes(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(200)
            self.send_header("content-length", "3")
            self.end_headers()
            self.wfile.write(b"yes")

        do_POST = do_GET  # noqa: N815 - http.server's own name

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Yes)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def whole(start, simulator, target) -> Whole:
    """The default bundle with its policies; what changes its files is not put in force."""
    routes, jobs = default_routes().split("\njobs:\n")
    text = f"{routes}\n{TARGET.format(url=target)}\njobs:\n{jobs}"
    policies = {path.stem: path.read_text() for path in ROOT.glob("policies/*.yaml")}
    gateway = start(text, policies=policies, models=models(endpoints(simulator.url)))
    gateway.service.records._clock = Hurried()
    return Whole(gateway, Reloader(gateway.service, gateway.snapshot.bundle, lambda _: None))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where this folder or a file of it is named on the command line."""
    parser.addoption("--fuzz", type=int, default=0, help="seconds of looking for other examples")
