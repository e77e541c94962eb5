"""Anthropic's Messages API: https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway import strictjson
from ai_gateway.errors import (
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ai_gateway.formats import Body, Format, Reading, Usage
from ai_gateway.formats.chat import count
from ai_gateway.formats.definitions import definitions
from ai_gateway.formats.said import together, worded
from ai_gateway.guardrails.scene import Text

#: Keys of a block whose strings say nothing to a model: names, references and encoded bytes.
_UNSAID = frozenset(
    {
        "cache_control",
        "data",
        "encrypted_content",
        "encrypted_index",
        "file_id",
        "id",
        "media_type",
        "name",
        "signature",
        "tool_use_id",
        "type",
        "url",
    }
)

#: Keys of a request that ``texts`` reads, and that hold numbers or names of the API's own.
_KNOWN = frozenset(
    (
        *("max_tokens", "messages", "metadata", "model", "service_tier", "stop_sequences"),
        *("stream", "system", "temperature", "thinking", "tool_choice", "top_k", "top_p"),
    )
)

#: The error types of an event stream that are not the model's own failure.
_ERRORS: dict[str, tuple[type[UpstreamError], int]] = {
    "overloaded_error": (UpstreamUnavailable, 529),
    "rate_limit_error": (UpstreamRateLimited, 429),
    "timeout_error": (UpstreamTimeout, 504),
    "api_error": (UpstreamError, 500),
    "invalid_request_error": (UpstreamError, 502),
}
#: Events that come before anything of an answer, or beside it.
_SILENT = ("message_start", "ping", "content_block_stop")


def texts(body: Body) -> list[Text]:
    """The system prompt and what every message says; a tool's results are of stage ``tool``."""
    said = together([Text(text, "system") for text in _strings(body.get("system"))])
    for message in body["messages"]:
        said += together(list(_content(message.get("content"))))
    return said


def _content(content: object) -> Iterator[Text]:
    for block in content if isinstance(content, list) else [content]:
        kind = block.get("type") if isinstance(block, Mapping) else None
        stage = "tool" if isinstance(kind, str) and kind.endswith("tool_result") else "input"
        for text in _strings(block):
            yield Text(text, stage)


def _strings(value: object) -> Iterator[str]:
    """Every string of a block that a model reads, of blocks that are not known here too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        yield from _block(value)


def _block(block: Body) -> Iterator[str]:
    if block.get("type") in ("tool_use", "server_tool_use"):
        yield _arguments(block.get("input"))
        block = {key: value for key, value in block.items() if key != "input"}
    for key, value in block.items():
        # A document of plain text holds it as its data.
        if key not in _UNSAID or (key == "data" and block.get("type") == "text"):
            yield from _strings(value)
        else:
            yield from worded(value)


def _arguments(value: object) -> str:
    return strictjson.dumps(value).decode()


def read(body: Body) -> Reading:
    """All text blocks and tool arguments; thinking is no part of the answer."""
    content = body.get("content")
    if not isinstance(content, list) or body.get("type", "message") != "message":
        raise UpstreamError("The model answered without content.")
    finish = body.get("stop_reason")
    return Reading(
        text="\n".join(text for block in content for text in _answer(block)),
        finish_reason=finish if isinstance(finish, str) else None,
        usage=usage(body.get("usage")),
    )


def _answer(block: object) -> Iterator[str]:
    if not isinstance(block, Mapping):
        raise UpstreamError("The model answered with a block that is no object.")
    if block.get("type") == "tool_use":
        yield _arguments(block.get("input"))
    elif isinstance(block.get("text"), str):
        yield block["text"]


def usage(found: object) -> Usage:
    """Tokens as the Messages API counts them: ``input_tokens`` are those outside the cache."""
    if not isinstance(found, Mapping):
        return Usage()
    fresh, cached = count(found, "input_tokens"), count(found, "cache_read_input_tokens")
    written = count(found, "cache_creation_input_tokens")
    return Usage(
        input=None if fresh is None else fresh + (cached or 0) + (written or 0),
        output=count(found, "output_tokens"),
        cached=cached,
        reasoning=count(found.get("output_tokens_details"), "thinking_tokens"),
        raw=found,
    )


def error(event: Body) -> UpstreamError:
    """What an ``error`` event means; the model's own words are not repeated."""
    found = event.get("error")
    kind = found.get("type") if isinstance(found, Mapping) else None
    if not isinstance(kind, str) or kind not in _ERRORS:
        return UpstreamError("The model broke off its answer.")
    failure, status = _ERRORS[kind]
    return failure(f"The model broke off its answer ({kind}).", status=status)


def says(event: Body) -> bool:
    """Whether an event brings anything of an answer, or its end; an empty text is nothing yet."""
    kind = event.get("type")
    if kind not in ("content_block_start", "content_block_delta"):
        return kind not in _SILENT
    piece = event.get("delta") or event.get("content_block")
    if not isinstance(piece, Mapping):
        return False
    return bool(piece.get("text")) or piece.get("type") not in ("text", "text_delta")


class Reader:
    """Puts an event stream together."""

    def __init__(self) -> None:
        self._texts: dict[int | None, list[str]] = {}
        self._finish: str | None = None
        self._stopped = False
        self._usage: dict[str, Any] = {}

    def add(self, chunk: Body) -> None:
        """One event's data; raises UpstreamError for an ``error`` event."""
        kind = chunk.get("type")
        if kind == "error":
            raise error(chunk)
        if kind == "message_start":
            message = chunk.get("message")
            self._count(message.get("usage") if isinstance(message, Mapping) else None)
        elif kind == "message_delta":
            self._count(chunk.get("usage"))
            self._stop(chunk.get("delta"))
        elif kind == "message_stop":
            self._stopped = True
        elif kind in ("content_block_start", "content_block_delta"):
            self._say(chunk)

    def _count(self, found: object) -> None:
        """Counts are cumulative, and one that is left out stands as it was."""
        if isinstance(found, Mapping):
            self._usage |= {key: value for key, value in found.items() if value is not None}

    def _stop(self, delta: object) -> None:
        if isinstance(delta, Mapping) and isinstance(delta.get("stop_reason"), str):
            self._finish = delta["stop_reason"]

    def _say(self, chunk: Body) -> None:
        piece = chunk.get("delta") or chunk.get("content_block")
        if not isinstance(piece, Mapping):
            return
        for name in ("text", "partial_json"):
            if isinstance(piece.get(name), str):
                self._texts.setdefault(count(chunk, "index"), []).append(piece[name])

    def reading(self) -> Reading:
        """What was said so far; why it ended once ``message_stop`` says that it has."""
        said = ("".join(pieces) for pieces in self._texts.values())
        text = "\n".join(text for text in said if text)
        finish = self._finish if self._stopped else None
        return Reading(text, finish, usage(self._usage or None))


def defined(body: Body) -> list[Text]:
    """Tools, the schema of the answer, and whatever else a model's server may read."""
    return definitions(body, _KNOWN)


MESSAGES = Format(
    name="messages",
    path="/messages",
    texts=texts,
    read=read,
    reader=Reader,
    says=says,
    definitions=defined,
    headers=("anthropic-version", "anthropic-beta"),
)
