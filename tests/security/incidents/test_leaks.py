"""A secret is where it belongs and nowhere else: not in a log, a figure, a span, a row, a reply."""

import io
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from ai_gateway import jobs
from ai_gateway.errors import GatewayError
from ai_gateway.manifest.load import load
from ai_gateway.records import queries, to_rows
from ai_gateway.records.schema import TABLES
from ai_gateway.settings import Settings
from ai_gateway.telemetry import logs
from runner import application
from tests.gateway.test_every_surface import SURFACES
from tests.gateway.test_jwt import good
from tests.security import canaries
from tests.security.canaries import ALL, CREDENTIALS, Errand, errands, found_in, left
from tests.security.conftest import follow
from tests.security.test_every_route import path_of
from tests.telemetry.otel.conftest import Watch
from tests.upstream.fake import FakeUpstream, reply

ENDPOINTS = ("model-a", "model-b", "embedder", "ranker", "media", "classifier", "anthropic")
#: Bundles that do not check, each with a secret somewhere in it.
BROKEN = tuple(
    f"  model-a: {{{{url: {url}, model_id: a{more}\n"
    for url, more in (
        ("{secret}", "}}"),
        ("'https://user:{secret}@x/v1'", "}}"),
        ("'https://x/v1?key={secret}'", "}}"),
        ("'${{PROXIED_TOKEN}}'", ", timeout: '${{PROXIED_TOKEN}}'}}"),
        ("'ftp://{secret}'", ", credentials: {{token: '${{PROXIED_TOKEN}}', x: 1}}}}"),
        *(
            ("'https://x/v1'", f", credentials: {credentials}")
            for credentials in (
                "{{token: {secret}, token: b}}}}",
                "{{tokn: {secret}}}}}",
                "{{token: [{secret}]}}}}",
                "{secret}}}",
                "{{token: {secret}, header: {secret}}}}}",
                "{{token: {secret}",
                "{{token_file: [{secret}]}}}}",
                "{{aws: {secret}}}}}",
            )
        ),
    )
)


@pytest.fixture
def heard():
    """What a process logs, as text and as JSON, at the level debug."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    streams = []
    hidden: dict[str, str] = {"GATEWAY_LOG_LEVEL": "debug"}

    def listen(folder, **variables):
        kept = []
        for format_ in ("json", "text"):
            streams.append(io.StringIO())
            given = {"GATEWAY_DATA": str(folder), "GATEWAY_LOG_FORMAT": format_}
            assert (
                logs.configure(Settings.read(None, given | hidden | variables), streams[-1]) is None
            )
            kept += root.handlers
        root.handlers[:] = [*handlers, *kept]
        return lambda: "".join(stream.getvalue() for stream in streams)

    yield listen
    root.handlers[:] = handlers


@pytest.fixture
def mirror():
    """A model's server that says back whatever it was sent, as an error of one kind or another."""
    server = FakeUpstream()
    turn = iter(range(10**9))

    def step(connection, received) -> None:
        number = next(turn)
        token = received.headers["authorization"].removeprefix("Bearer ")
        said = f"{token} Bearer {token} {received.headers} {received.body.decode('latin-1')}"
        status = (400, 401, 403, 404, 429, 500, 503, 200, 302)[number % 9]
        forms = ({"error": {"message": said, "code": said}}, said, {"detail": [{"msg": said}]})
        told = {"set-cookie": said[:200], "www-authenticate": said[:200], "location": said[:200]}
        told |= {"x-request-id": said[:200], "retry-after": said[:99], "server": said[:99]}
        connection.sendall(reply(forms[number % 3], status, headers=told))

    server.always = step
    yield server
    server.close()


@dataclass
class Walk:
    """A gateway on its way through every failure, and all that it replied."""

    gateway: Any
    #: A live key's text, and a token that has ended.
    key: str
    token: str
    said: list[str] = field(default_factory=list)

    @property
    def needles(self) -> set[str]:
        """All that must stand nowhere; of the key and the token what nobody else can know."""
        return {*ALL, self.key.rpartition("_")[2], self.token.rpartition(".")[2]}

    def ask(self, errand: Errand) -> int:
        """One request."""
        answer = self.gateway.client.open(
            errand.path, method=errand.method, headers=errand.headers, data=errand.body
        )
        self.said.append(f"{answer.status}{answer.headers}{answer.data!r}")
        return int(answer.status_code)

    def every_route(self) -> None:
        """Every body with a good credential, and every other credential."""
        routes = self.gateway.snapshot.bundle.manifest.routes
        paths = [(method, path_of(route)) for route in routes for method in route.methods]
        asked = errands(paths, self.gateway.headers, [self.key, self.token])
        statuses = {self.ask(each) for each in asked}
        assert statuses >= {200, 400, 401, 403, 404, 413, 415}

    def every_fault(self) -> None:
        """Every surface before every fault of its model."""
        for fault in canaries.FAULTS:
            self.gateway.simulator.faults.update(dict.fromkeys(ENDPOINTS, fault))
            for surface in SURFACES if "hang" not in fault else SURFACES[:1]:
                for more in ({},) if surface.files else ({}, {"stream": True}):
                    whole = json.dumps(surface.whole(**more)).replace('"a"', f'"{canaries.TEXT}"')
                    with suppress(GatewayError):  # of a cut stream of bytes: so is the connection
                        answer = surface.post(self.gateway, json.loads(whole))
                        self.said.append(f"{answer.headers}{answer.data!r}")
        self.gateway.simulator.faults.clear()

    def every_echo(self) -> None:
        """A model's server that says back the credential that it was sent."""
        body: dict[str, Any] = {"model": "echo", "input": canaries.TEXT, "voice": "a"}
        body["messages"] = [{"role": "user", "content": canaries.TEXT}]
        paths = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/audio/speech")
        for number in range(18):
            more: dict[str, Any] = {"stream": True} if number % 2 else {}
            for path in paths:
                data = json.dumps(body if path.endswith("embeddings") else body | more)
                self.ask(Errand("POST", path, self.gateway.headers, data.encode()))
        told = "".join(self.said[-18 * len(paths) :])
        assert "[credentials]" in told, "it was said back, and taken out"

    def every_job(self) -> None:
        """A judge that fails in each way, and what else runs behind the scenes."""
        service, snapshot = self.gateway.service, self.gateway.snapshot
        for fault in (*canaries.FAULTS[:6], f"say={canaries.TEXT}"):
            self.gateway.simulator.faults["judge"] = fault
            for job in snapshot.bundle.manifest.jobs:
                self.said.append(str(jobs.tick(service, snapshot, job)))

    def every_broken_bundle(self) -> None:
        """A secret in a bundle that does not check."""
        reloader, settings = follow(self.gateway), self.gateway.service.settings
        routes, policy = settings.bundle / "routes.yaml", settings.bundle / "policies/words.yaml"
        whole = routes.read_text()
        wrong = [f"version: 1\nmodels:\n{each.format(secret=canaries.BUNDLE)}" for each in BROKEN]
        for file, text in [*((routes, each) for each in wrong), (policy, f"a: {canaries.BUNDLE}")]:
            file.write_text(text)
            assert not reloader.reload(), text
            self.said += map(str, load(settings)[1])
            json_ = {**self.gateway.headers, "Content-Type": "application/json"}
            self.said.append(self.gateway.client.get("/readyz").text)
            self.said.append(self.gateway.client.post("/api/v1/reload", headers=json_).text)
            routes.write_text(whole)

    def left(self, folder) -> dict[str, str | bytes]:
        """Whatever a secret could stand in by now, by its name."""
        service, snapshot = self.gateway.service, self.gateway.snapshot
        service.records.flush()
        parts: tuple[object, ...] = (
            service.settings,
            service.keys,
            service.upstreams,
            snapshot,
            snapshot.bundle,
        )
        parts += (snapshot.context, snapshot.identity, snapshot.gateway)
        return {
            "metrics": service.metrics.expose(),
            **{name: repr(to_rows(service.records.scan(name))) for name in TABLES},
            **{f"the repr of {type(part).__name__}": repr(part) for part in parts},
            **{f"{number} {name}": data for number, (name, data) in enumerate(left(folder))},
            "the dashboard's totals": repr(queries.totals(service.records)),
            "its decisions": repr(queries.recent_decisions(service.records, 1000).to_pylist()),
            "its refusals": repr(queries.refusals(service.records, 1000).to_pylist()),
        }


@pytest.fixture
def walk(everything, idp, mirror):
    """A gateway whose every credential is a canary, and which is to keep no text."""
    echo = f"  echo: {{url: {mirror.url}, model_id: e, timeout: {{whole: 2s}}, "
    gateway = everything(
        each={"privacy": "none", "timeout": "1s"},
        models=echo + 'credentials: {token: "${MODEL_A_TOKEN}"}}\n',
        AI_GATEWAY_API_KEY=canaries.ADMIN,
        MODEL_A_TOKEN=canaries.MODEL,
        PROXIED_TOKEN=canaries.TARGET,
    )
    gateway.headers = {"X-API-Key": canaries.ADMIN}
    made = gateway.client.post("/api/v1/keys", json={"name": "a"}, headers=gateway.headers)
    return Walk(gateway, made.json["key"], good(idp, exp=1))


def test_18_no_secret_is_left_anywhere(walk, heard, tmp_path) -> None:
    """Every way a request can fail, with a secret in every place that takes one: none is kept."""
    watch = Watch()
    told = heard(tmp_path / "data")  # which is told of no variable: it cannot clean its lines
    gateway = walk.gateway
    gateway.service.tracing = watch.telemetry
    gateway.snapshot = gateway.service.snapshot(gateway.snapshot.bundle)
    gateway.client.application.wsgi_app.app = application(gateway.snapshot).wsgi_app
    walk.every_route()
    walk.every_fault()
    walk.every_echo()
    walk.every_job()
    walk.every_broken_bundle()

    places = walk.left(tmp_path / "data") | {"log lines": told()}
    spans = watch.spans.get_finished_spans()
    places["spans"] = "".join(span.to_json() for span in spans) + str(watch.points())
    watch.telemetry.close()
    assert {
        name: found for name, data in places.items() if (found := found_in(data, walk.needles))
    } == {}
    own = {canaries.BODY, canaries.QUERY, canaries.TEXT}  # which a caller may be told of himself
    assert found_in("".join(walk.said), walk.needles - own) == set()
    sent = "".join(str(seen.headers) for seen in gateway.simulator.requests)
    assert found_in(sent, CREDENTIALS) == {canaries.MODEL, canaries.TARGET}
    assert (len(walk.said) > 2000, len(spans) > 2000, told().count("\n") > 2000) == (True,) * 3
