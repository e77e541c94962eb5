"""A conversation, whichever API's words it came in: what the models answer to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from ai_gateway.simulator import text

CONTEXT = 131_072  # tokens, of prompt and answer together
_TOKENS_A_MESSAGE = 4  # what a chat template adds
_TOKENS_AN_IMAGE = 85
_BLOCK = 16  # tokens; vLLM caches whole blocks only
_IMAGES = ("image_url", "input_image", "image")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said; ``role`` is system, user, assistant or tool."""

    role: str
    text: str
    images: int = 0

    @property
    def tokens(self) -> int:
        """Its share of the prompt."""
        own = text.count_tokens(self.text) + _TOKENS_AN_IMAGE * self.images
        return _TOKENS_A_MESSAGE + own


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; ``schema`` is that of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said, and what the answer may be.

    ``choice`` is auto, none, required or the name of a tool. ``schema`` is that of a structured
    answer. ``limit`` is in tokens, 0 for none.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    schema: dict[str, Any] | None = None
    limit: int = 0
    stops: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The last words of the user, without a directive at their end."""
        return split(self.turns[self._asked].text)[0]

    @property
    def last(self) -> str:
        """The last words of anybody, without a directive at their end."""
        return split(self.turns[-1].text)[0]

    @property
    def results(self) -> tuple[str, ...]:
        """What tools have answered since the user last spoke."""
        return tuple(turn.text for turn in self.turns[self._asked :] if turn.role == "tool")

    @property
    def images(self) -> int:
        """How many images the user has shown."""
        return sum(turn.images for turn in self.turns)

    @property
    def tokens(self) -> int:
        """How many tokens the prompt has."""
        tools = sum(
            text.count_tokens(
                f"{tool.name} {tool.description} {orjson.dumps(tool.schema).decode()}"
            )
            for tool in self.tools
        )
        return tools + sum(turn.tokens for turn in self.turns)

    @property
    def cached(self) -> int:
        """How many of them a server holds already.

        What stands before the last answer was the prompt of that answer. So the number follows
        from the request alone.
        """
        spoke = [index for index, turn in enumerate(self.turns) if turn.role == "assistant"]
        before = self.turns[: spoke[-1]] if spoke else ()
        return sum(turn.tokens for turn in before) // _BLOCK * _BLOCK

    @property
    def too_long(self) -> str | None:
        """What a server says that has no room for prompt and answer."""
        whole = self.tokens + self.limit
        if whole <= CONTEXT:
            return None
        return (
            f"This model's maximum context length is {CONTEXT} tokens. However, you requested"
            f" {whole} tokens ({self.tokens} in the messages, {self.limit} in the completion)."
        )

    @property
    def _asked(self) -> int:
        spoke = [n for n, turn in enumerate(self.turns) if turn.role == "user" and turn.text]
        return spoke[-1] if spoke else -1


def content(value: object) -> str:
    """The text of a message's content: a string, the text parts of a list, or nothing."""
    if isinstance(value, list):
        return "\n".join(
            str(part["text"]) for part in value if isinstance(part, dict) and "text" in part
        )
    return value if isinstance(value, str) else ""


def images(value: object) -> int:
    """How many images a message's content has."""
    if not isinstance(value, list):
        return 0
    return sum(isinstance(part, dict) and part.get("type") in _IMAGES for part in value)


def directive(body: dict[str, Any]) -> str:
    """What stands in ``[[simulate ...]]`` at the end of what the user last said, or nothing."""
    return next((found for said in _said(body) if (found := split(said)[1])), "")


def split(said: str) -> tuple[str, str]:
    """What was said, and the directive at its end."""
    before, found, rest = said.rstrip().rpartition("[[simulate ")
    return (before.rstrip(), rest[:-2]) if found and rest.endswith("]]") else (said, "")


def _said(body: dict[str, Any]) -> Iterable[str]:
    """The last words of the user in a body of any API."""
    for name in ("messages", "input", "prompt", "query"):
        value = body.get(name)
        if isinstance(value, list):
            yield next(filter(None, map(_user, reversed(value))), "")
        else:
            yield content(value) if isinstance(value, str) else _user(value)


def _user(item: object) -> str:
    if isinstance(item, str):
        return item
    if not isinstance(item, dict) or item.get("role", "user") != "user":
        return ""
    return content(item.get("content", item.get("text")))
