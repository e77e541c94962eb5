"""OpenAI's Responses API, as OpenAI and vLLM speak it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage
from ai_gateway.formats.chat import count
from ai_gateway.formats.definitions import definitions
from ai_gateway.formats.said import together, unescaped, worded
from ai_gateway.guardrails.scene import Text

# Keys whose strings are names, ids or data; everything else, known or not, is read as text.
_NO_TEXT = frozenset(
    (
        *("type", "id", "call_id", "item_id", "role", "status", "phase", "detail", "format"),
        *("image_url", "file_id", "file_url", "file_data", "encrypted_content"),
        *("server_url", "authorization", "headers"),
    )
)
_ENDS = {f"response.{status}" for status in ("completed", "incomplete", "failed", "cancelled")}


#: Keys of a request that ``texts`` reads, and that hold numbers or names of the API's own.
_KNOWN = frozenset(
    (
        *("background", "include", "input", "instructions", "max_output_tokens", "max_tool_calls"),
        *("metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt"),
        *("prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "stream"),
        *("stream_options", "temperature", "tool_choice", "top_logprobs", "top_p"),
        *("truncation", "user"),
    )
)


def texts(body: Body) -> list[Text]:
    """What the request says; what tools answered is of stage ``tool``."""
    asked = body.get("input")
    items = asked if isinstance(asked, list) else [asked]
    return [
        *_texts(body.get("instructions"), "system"),
        *(text for item in items for text in _texts(item, _stage(item))),
        *_texts(body.get("prompt"), "input"),
    ]


def defined(body: Body) -> list[Text]:
    """Tools, the schema of the answer, and whatever else a model's server may read."""
    return definitions(body, _KNOWN)


def _texts(value: object, stage: str) -> list[Text]:
    found = list(_strings(value))
    hidden = [text for piece in found for text in unescaped(piece)]
    return [
        *together([Text(text, stage) for text in found]),
        *(Text(text, stage) for text in hidden),
    ]


def _stage(item: object) -> str:
    if not isinstance(item, Mapping):
        return "input"
    if _is_result(item.get("type")):
        return "tool"
    return "system" if item.get("role") in ("system", "developer") else "input"


def _is_result(kind: object) -> bool:
    return isinstance(kind, str) and (kind.endswith("_output") or kind == "mcp_call")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            # Inside a schema a property may have any of these names, and is an object then.
            if key not in _NO_TEXT or isinstance(item, Mapping):
                yield from _strings(item)
            else:
                yield from worded(item)


def read(body: Body) -> Reading:
    """What the messages and tool calls say; reasoning is no part of it."""
    output = body.get("output")
    if body.get("status") == "failed" or body.get("error"):
        raise UpstreamError(f"The model's response failed ({_code(body.get('error'))}).")
    if not isinstance(output, list):
        raise UpstreamError("The model answered without output.")
    said = (text for item in output if isinstance(item, Mapping) for text in _said(item))
    return Reading("\n".join(said), _end(body), usage(body.get("usage")))


def _code(error: object) -> str:
    code = error.get("code") if isinstance(error, Mapping) else None
    return code[:50] if isinstance(code, str) else "without a code"


def _said(item: Body) -> Iterator[str]:
    parts = item.get("content") if item.get("type") == "message" else None
    for part in (*(parts if isinstance(parts, list) else ()), item):
        if isinstance(part, Mapping):
            named = (part.get(name) for name in ("text", "refusal", "arguments", "input"))
            yield from (text for text in named if isinstance(text, str))


def _end(body: Body) -> str | None:
    details, status = body.get("incomplete_details"), body.get("status")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    found = reason or status
    return found if isinstance(found, str) else None


def usage(found: object) -> Usage:
    """Tokens as the Responses API counts them."""
    if not isinstance(found, Mapping):
        return Usage()
    return Usage(
        input=count(found, "input_tokens"),
        output=count(found, "output_tokens"),
        cached=count(found.get("input_tokens_details"), "cached_tokens"),
        reasoning=count(found.get("output_tokens_details"), "reasoning_tokens"),
        raw=found,
    )


class Reader:
    """Puts a stream's deltas together."""

    def __init__(self) -> None:
        self._texts: dict[tuple[Any, ...], list[str]] = {}
        self._finish: str | None = None
        self._usage = Usage()

    def add(self, chunk: Body) -> None:
        """One event's data, named by its ``type``."""
        kind, response = chunk.get("type"), chunk.get("response")
        if kind in _ENDS and isinstance(response, Mapping):
            self._finish, self._usage = _end(response), usage(response.get("usage"))
        elif isinstance(kind, str) and _is_text(kind) and isinstance(chunk.get("delta"), str):
            place = (chunk.get("output_index"), chunk.get("content_index"), kind)
            self._texts.setdefault(place, []).append(chunk["delta"])

    def reading(self) -> Reading:
        """What was said so far."""
        said = "\n".join("".join(pieces) for pieces in self._texts.values())
        return Reading(said, self._finish, self._usage)


def _is_text(kind: str) -> bool:
    """Whether an event brings what ``read`` would read, in a kind of item that may yet come."""
    return kind.endswith(".delta") and not kind.startswith(("response.reasoning", "response.audio"))


RESPONSES = Format(
    name="responses",
    path="/responses",
    texts=texts,
    read=read,
    reader=Reader,
    definitions=defined,
)
