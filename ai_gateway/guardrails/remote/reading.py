"""What a model's reply to a check says. Nothing is guessed: a reply in doubt is a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Unreadable(Exception):
    """A reply without a verdict; its text is a cause from a short list, and never the reply."""


def content(reply: Mapping[str, Any]) -> str:
    """The text of a chat completion's first choice, which must be whole."""
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    text = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(text, str):
        raise Unreadable("the reply holds no text")
    if choice.get("finish_reason") == "length":
        raise Unreadable("the reply was cut")
    return text


def conclusion(reply: Mapping[str, Any]) -> str:
    """The text behind a model's thoughts, without a code fence around it."""
    text = content(reply).rpartition("</think>")[2]
    if "<think>" in text:
        raise Unreadable("the reply ends within a thought")
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].removeprefix("json")
    return text.strip()
