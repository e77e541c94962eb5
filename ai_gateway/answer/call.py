"""What a surface hands to ``context.answer`` and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_gateway.contract import Event


@dataclass(frozen=True, slots=True)
class Call:
    """One question for a model, in the gateway's own form: an OpenAI chat-completions body.

    ``model`` is what the caller named: a model, or ``None``/``auto`` to let the routing choose.
    """

    event: Event
    surface: str
    body: Mapping[str, Any]
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer: its text, the upstream's whole body, who served it and why."""

    model: str
    text: str
    body: Mapping[str, Any]
    selection: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
