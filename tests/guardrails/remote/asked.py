"""Models that answer checks, as plain functions, and checks of every type that asks one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from ai_gateway.guardrails.check import Check
from ai_gateway.guardrails.checks import (
    content_safety,
    grounded,
    jailbreak_detect,
    llama_guard,
    llm,
    topic_control,
)
from ai_gateway.guardrails.scene import Ask, Scene, Text

ROOT = Path(__file__).parents[3]
TYPES: dict[str, tuple[Any, dict[str, Any]]] = {
    "content_safety": (content_safety, {}),
    "jailbreak_detect": (jailbreak_detect, {}),
    "llama_guard": (llama_guard, {}),
    "topic_control": (topic_control, {"topics": ("gardening",)}),
    "llm": (llm, {"instructions": "Nobody speaks of cats."}),
    "grounded": (grounded, {"stages": ("output",)}),
}


def check(type: str, **changed: Any) -> Check:  # noqa: A002 - as the policy's key is called
    """Parameters of a check with the shipped prompts."""
    module, own = TYPES[type]
    common = {"name": "a", "type": type, "stages": ("input",), "action": "block", "model": "guard"}
    parameters: Check = module.Parameters.model_validate({**common, **own, **changed})
    assert list(parameters.prepare(ROOT)) == []
    return parameters


class Model:
    """An Ask that keeps what it was asked; ``says`` makes each reply, or raises."""

    def __init__(self, says: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._says = says
        self._lock = Lock()
        self.bodies: list[Mapping[str, Any]] = []
        self.calls: list[tuple[str, str, float]] = []

    def __call__(
        self, model: str, path: str, body: Mapping[str, Any], seconds: float
    ) -> Mapping[str, Any]:
        with self._lock:
            self.bodies.append(body)
            self.calls.append((model, path, seconds))
        return self._says(body)


def chat(content: object, finish: str = "stop") -> dict[str, Any]:
    """A chat completion that says ``content``."""
    message = {"role": "assistant", "content": content}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def saying(content: object) -> Model:
    """A chat model that always says the same."""
    return Model(lambda _: chat(content))


def scored(score: float) -> Model:
    """A model that gives a score, as the judge's prompts ask for it."""
    return saying(json.dumps({"score": score, "reason": "It is so."}))


def scene(
    ask: Ask | None, request: Mapping[str, Any] | None = None, **stages: str | Sequence[str]
) -> Scene:
    """A scene with a text, or several, a stage."""
    texts = [
        Text(text, stage)
        for stage, said in stages.items()
        for text in ([said] if isinstance(said, str) else said)
    ]
    return Scene(texts, request or {}, ask=ask)


def shown(body: Mapping[str, Any]) -> str:
    """What the only message of a body says."""
    (message,) = body["messages"]
    return str(message["content"])


def roles(body: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """A body's messages as pairs."""
    return [(message["role"], message["content"]) for message in body["messages"]]
