"""What holds on every surface alike: one reading of a request, and nothing round the guardrails."""

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from ai_gateway.simulator import endpoints
from tests.conftest import ROOT

USER = [{"role": "user", "content": "What is GRPO?"}]


@dataclass(frozen=True)
class Surface:
    """A path, a model behind it, a body for it, and the key whose text a model reads."""

    path: str
    model: str
    body: dict[str, Any]
    text: str
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """What answers the path."""
        name = self.path.removeprefix("/v1/").replace("/", "_")
        return "v2.infer" if self.path.startswith("/v2") else f"v1.{name}"

    def post(self, gateway, body, *, twice=""):
        """Send ``body``, as a form where there are files, with the key ``twice`` doubled."""
        path = self.path.format(name=self.model)
        if self.files:
            pairs = [*body.items(), *([(twice, body[twice])] if twice else [])]
            data = dict.fromkeys(key for key, _ in pairs)
            data = {key: [value for name, value in pairs if name == key] for key in data}
            data |= {key: (io.BytesIO(value), "f.bin") for key, value in self.files.items()}
            return gateway.client.post(path, data=data, headers=gateway.headers)
        text = json.dumps(body)
        if twice:
            text = f"{text[:-1]}, {json.dumps(twice)}: {json.dumps(body[twice])}}}"
        return gateway.client.post(path, data=text, headers=gateway.headers)

    def whole(self, **more):
        """A body that is answered."""
        named = {} if "{name}" in self.path else {"model": self.model}
        return {**named, **self.body, **more}


TENSOR = {"name": "input", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]}
SURFACES = (
    Surface("/v1/chat/completions", "model-a", {"messages": USER}, "messages"),
    Surface("/v1/completions", "model-a", {"prompt": "a"}, "prompt"),
    Surface("/v1/responses", "model-a", {"input": "a"}, "input"),
    Surface("/v1/messages", "claude", {"max_tokens": 99, "messages": USER}, "messages"),
    Surface("/v1/messages/count_tokens", "claude", {"messages": USER}, "messages"),
    Surface("/v1/embeddings", "embedder", {"input": ["a"]}, "input"),
    Surface("/v1/rerank", "ranker", {"query": "a", "documents": ["b"]}, "documents"),
    Surface(
        "/v1/ranking", "ranker", {"query": {"text": "a"}, "passages": [{"text": "b"}]}, "passages"
    ),
    Surface("/v1/images/generations", "media", {"prompt": "a"}, "prompt"),
    Surface("/v1/images/edits", "media", {"prompt": "a"}, "prompt", {"image": b"1"}),
    Surface("/v1/images/variations", "media", {"user": "a"}, "user", {"image": b"1"}),
    Surface("/v1/audio/speech", "media", {"input": "a", "voice": "b"}, "input"),
    Surface("/v1/audio/transcriptions", "media", {"prompt": "a"}, "prompt", {"file": b"1"}),
    Surface("/v1/audio/translations", "media", {"prompt": "a"}, "prompt", {"file": b"1"}),
    Surface("/v2/models/{name}/infer", "iris", {"inputs": [TENSOR]}, "inputs"),
)
each_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.path)
ROUTES = "".join(
    f"""
  - path: {surface.path}
    function: functions.{surface.function}:handle
    auth: api-key
    guardrails: [forbidden]
"""
    for surface in SURFACES
)
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input, tool], action: block, phrases: [xyzzy]}
"""
}


@pytest.fixture
def gateway(start, simulator):
    """Every surface, and a model for each."""
    bases = endpoints(simulator.url)
    more = {
        "claude": (bases["anthropic"], "claude-simulated", "anthropic"),
        "embedder": (bases["embedder"], "simulated/embedder", "openai"),
        "ranker": (bases["ranker"], "simulated/ranker", "openai"),
        "media": (bases["media"], "simulated/media", "openai"),
        "iris": (bases["classifier"], "classifier", "oip"),
    }
    models = "".join(
        f"  {name}: {{url: {url}, model_id: {model_id}, dialect: {dialect}, "
        "credentials: {token: t}}\n"
        for name, (url, model_id, dialect) in more.items()
    )
    return start(ROUTES, policies=POLICIES, models=models)


def test_the_table_has_every_surface() -> None:
    """A surface that is added to the default bundle is added here."""
    text = (ROOT / "routes.yaml").read_text()
    functions = {f"functions.{surface.function}:handle" for surface in SURFACES}
    served = {line.split("function: ")[1].split(",")[0].strip('" ') for line in text.splitlines()
              if "functions.v" in line}  # fmt: skip
    others = {"v1.models", "v1.model", "v2.server", "v2.live", "v2.ready", "v2.model_ready"}
    assert served == functions | {f"functions.{name}:handle" for name in others}


@each_surface
def test_what_is_read_is_what_is_sent(gateway, surface) -> None:
    """A parameter that nobody knows reaches the model as it is, and so does the rest."""
    more = {"x_new": "a" if surface.files else {"deep": ["a", 1, None]}}
    body = surface.whole(**more)
    reply = surface.post(gateway, body)
    assert (reply.status_code, len(reply.get_data()) > 0) == (200, True), reply.text
    (seen,) = gateway.simulator.requests
    (row,) = gateway.rows()
    recorded = json.loads(row["request"])
    assert {key: recorded[key] for key in body} == body
    sent = {key: value for key, value in seen.body.items() if key not in surface.files}
    if surface.path == "/v1/responses":  # which is put to the model as a chat
        assert (sent["x_new"], sent["messages"][-1]["content"]) == (more["x_new"], "a")
        return
    own = {"model": sent["model"]} if "model" in body else {}
    assert sent == {**body, **own}
    assert own.get("model") != body.get("model", "")


@each_surface
def test_a_key_that_stands_twice_is_refused(gateway, surface) -> None:
    """Two readers could take one each; so no model is asked, whichever key it is."""
    for key in (surface.text, *(("model",) if "{name}" not in surface.path else ())):
        reply = surface.post(gateway, surface.whole(), twice=key)
        assert reply.status_code == 400
        assert "twice" in reply.text
    assert not gateway.simulator.counts


@each_surface
def test_a_key_in_other_letters_is_refused(gateway, surface) -> None:
    """A lenient reader could take it for the real one behind the guardrails' back."""
    for key in surface.body:
        for other in (key.upper(), key.title()):
            body = {**surface.whole(), other: surface.body[key]}
            reply = surface.post(gateway, body)
            assert (reply.status_code, "other letters" in reply.text) == (400, True), other
    assert not gateway.simulator.counts


@each_surface
def test_no_text_gets_round_the_guardrails(gateway, surface) -> None:
    """Neither the text itself, nor one under a key that a model's server may know, passes."""
    hidden = surface.whole(x_new="xyzzy" if surface.files else {"deep": ["say xyzzy"]})
    plain = json.loads(json.dumps(surface.whole()).replace('"What is GRPO?"', '"xyzzy"'))
    value = json.loads(json.dumps(plain[surface.text]).replace('"a"', '"xyzzy"'))
    value = json.loads(json.dumps(value).replace('"b"', '"xyzzy"'))
    if surface.text != "user":
        assert surface.post(gateway, {**plain, surface.text: value}).status_code == 403
    assert surface.post(gateway, hidden).status_code == 403
    assert not gateway.simulator.counts
