"""The OpenAI dialect: what a chat completion says, as NIM, vLLM and OpenAI speak it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ai_gateway.errors import UpstreamError


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat completion: the whole body, and what the gateway itself reads of it."""

    body: dict[str, Any]
    text: str
    finish_reason: str | None
    usage: dict[str, Any] | None


def completion(who: str, value: dict[str, Any]) -> Completion:
    """What the body ``value`` says; raises UpstreamError where it is no chat completion.

    The text is that of the first choice; reasoning fields are no part of it, while ``<think>`` in
    the content stays where it is.
    """
    choice = _first_choice(who, value)
    finish, usage = choice.get("finish_reason"), value.get("usage")
    return Completion(
        body=value,
        text=_text(who, choice),
        finish_reason=finish if isinstance(finish, str) else None,
        usage=usage if isinstance(usage, dict) else None,
    )


def _first_choice(who: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list):
        _useless(who, "JSON without choices")
    if not choices:
        _useless(who, "no choices at all")
    first = choices[0]
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        filtered = "content_filter" in str(first)[:1000]
        _useless(who, f"a choice without a message{' (a content filter acted)' * filtered}")
    return first


def _text(who: str, choice: Mapping[str, Any]) -> str:
    message = choice["message"]
    content = message.get("content")
    if content is None:  # tool calls alone, or a refusal in a field of its own
        content = message.get("refusal") or ""
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    if not isinstance(content, str):
        _useless(who, "content that is no text")
    return content


def _part(part: Any) -> str:
    found = (part.get("text") or part.get("refusal")) if isinstance(part, dict) else part
    return found if isinstance(found, str) else ""


def _useless(who: str, what: str) -> NoReturn:
    raise UpstreamError(f"{who} answered with {what}.")
