"""The OpenAI dialect: a chat completion's request and answer, as NIM, vLLM and OpenAI speak it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx
import orjson

from ai_gateway import strictjson
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import errors
from ai_gateway.upstream.exchange import RawReply

_CHAT = b"/chat/completions"
_NOT_STREAMED = frozenset({"stream", "stream_options"})
_SUCCESS = range(200, 300)
_FEW = 200  # brackets in an answer that cannot nest deeper than the gateway writes


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat completion: the whole body, and what the gateway itself reads of it."""

    body: dict[str, Any]
    text: str
    finish_reason: str | None
    usage: dict[str, Any] | None


def url(base: httpx.URL) -> httpx.URL:
    """Where chat completions are: ``base`` ends in ``/v1``; the full path is accepted as well."""
    path, mark, query = base.raw_path.partition(b"?")
    own = path.rstrip(b"/").removesuffix(_CHAT).rstrip(b"/")
    return base.copy_with(raw_path=own + _CHAT + mark + query)


def request(model: Model, body: Mapping[str, Any]) -> bytes:
    """``body`` for ``model``: under the endpoint's own name of it, within its limit of tokens."""
    sent = {key: value for key, value in body.items() if key not in _NOT_STREAMED}
    sent["model"] = model.model_id
    if model.max_output_tokens is not None:
        _limit(sent, model.max_output_tokens)
    return strictjson.dumps(sent)


def _limit(sent: dict[str, Any], most: int) -> None:
    name = "max_completion_tokens" if "max_completion_tokens" in sent else "max_tokens"
    asked = sent.get(name)
    if asked is None or (isinstance(asked, int) and asked > most):
        sent[name] = most


def completion(who: str, raw: RawReply, body: bytes, token: str | None) -> Completion:
    """The completion in ``body``, the decoded body of ``raw``; anything else is an UpstreamError.

    The text is that of the first choice; reasoning fields are no part of it, while ``<think>`` in
    the content stays where it is.
    """
    if raw.status not in _SUCCESS:
        raise errors.refusal(who, raw.status, raw.headers, body, token)
    value = _object(who, raw, body)
    status = errors.code(value)
    if status is not None:
        raise errors.refusal(who, status, raw.headers, body, token)
    choice = _first_choice(who, value)
    finish, usage = choice.get("finish_reason"), value.get("usage")
    return Completion(
        body=value,
        text=_text(who, choice),
        finish_reason=finish if isinstance(finish, str) else None,
        usage=usage if isinstance(usage, dict) else None,
    )


def _object(who: str, raw: RawReply, body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
        if body.count(b"[") + body.count(b"{") > _FEW:
            orjson.dumps(value)  # reads deeper than it writes
    except (ValueError, TypeError):
        _useless(who, f"{_kind(raw, body)} where JSON was due")
    if not isinstance(value, dict):
        _useless(who, "JSON that is no object")
    return value


def _kind(raw: RawReply, body: bytes) -> str:
    if not body.strip():
        return "an empty body"
    html = "html" in raw.headers.get("content-type", "").lower()
    return "an HTML page, as a login page is," if html else "something"


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
