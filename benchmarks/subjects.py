"""What is measured of our own: the floor, and the gateway with more and more declared."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.load import Question, question
from benchmarks.machine import Program

ROOT = Path(__file__).resolve().parents[1]
PORT = 9900
PATH = "/v1/chat/completions"
_KEY = "a-key-for-this-run"
_MODEL = "meta/llama-3.1-8b-instruct"

#: Nothing declared but the route and its model; a record without texts, for there is none without.
BARE: Mapping[str, object] = {"auth": ["none"], "guardrails": [], "privacy": "none"}
_KEYED = {"auth": ["api-key"]}
_LIMITED = {"rateLimit": "1000000000/min"}
_RECORDED = {"privacy": "full"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A program that answers chat completions, and how it is asked."""

    program: Program
    asked: Question

    def streamed(self) -> Question:
        """The same, as a stream."""
        return Question(self.asked.url, self.asked.headers, {**self.asked.body, "stream": True})


@dataclass(frozen=True, slots=True)
class Variant:
    """A bundle: what its route declares, and the model that callers ask for."""

    route: Mapping[str, object] = field(default_factory=dict)
    model: str = "model-a"
    #: Whether the same is asked again and again.
    same: bool = False


VARIANTS: Mapping[str, Variant] = {
    "bare": Variant(BARE),
    "key": Variant({**BARE, **_KEYED}),
    "limits": Variant({**BARE, **_LIMITED}),
    "guardrails": Variant({**BARE, "guardrails": None}),
    "cache hit": Variant({**BARE, "cache": {"ttl": "1h", "always": True}}, same=True),
    "record": Variant({**BARE, **_RECORDED}),
    "routing": Variant(BARE, model="auto"),
    "all": Variant({**BARE, **_KEYED, **_LIMITED, **_RECORDED, "guardrails": None}, model="auto"),
}


def floor(folder: Path, upstream: str) -> Subject:
    """See floor.py."""
    command = [sys.executable, "-m", "benchmarks.floor", str(PORT), f"{upstream}/v1"]
    program = Program("floor", command, f"http://127.0.0.1:{PORT}/", folder, _importable())
    return Subject(program, question(f"http://127.0.0.1:{PORT}{PATH}", {}))


def gateway(folder: Path, upstream: str, variant: Variant) -> Subject:
    """The gateway with a bundle of its own in ``folder``."""
    bundle = folder / "bundle"
    bundle.mkdir(parents=True)
    for name in ("functions", "judge_prompts", "policies"):
        (bundle / name).symlink_to(ROOT / name)
    text = yaml.safe_dump(_bundle(upstream, variant))
    (bundle / "routes.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, str(ROOT / "runner.py"), "serve", "--port", str(PORT)]
    environment = {"AI_GATEWAY_API_KEY": _KEY, "GATEWAY_DATA": str(folder / "data")}
    url = f"http://127.0.0.1:{PORT}"
    program = Program(
        "gateway", [*command, "--bundle", str(bundle)], f"{url}/ping", folder, environment
    )
    keyed = "api-key" in str(variant.route["auth"])
    headers = {"authorization": f"Bearer {_KEY}"} if keyed else {}
    return Subject(
        program, question(f"{url}{PATH}", headers, same=variant.same, model=variant.model)
    )


def _bundle(upstream: str, variant: Variant) -> dict[str, object]:
    model = {"url": f"{upstream}/v1", "model_id": _MODEL, "max_connections": 4000}
    route = {"path": PATH, "function": "functions.v1.chat_completions:handle", **variant.route}
    ping = {"path": "/ping", "methods": ["GET"], "function": "functions.ping:handle"}
    return {
        "version": 1,
        "models": {"model-a": model, "model-b": model},
        "routes": [route, {**ping, "auth": "none"}],
    }


def _importable() -> Mapping[str, str]:
    return {"PYTHONPATH": str(ROOT)}
