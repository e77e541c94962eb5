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
    On a route with a target the event's own body is what is passed on, and ``body`` is empty.
    """

    event: Event
    surface: str
    body: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer: its text, the upstream's whole body, and headers that say who and why."""

    model: str
    text: str
    body: Mapping[str, Any] | bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
