"""What the functions of ``/v1`` share: a body in, ``context.answer``, a reply or a stream out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai_gateway import strictjson
from ai_gateway.answer.call import Answer, Call
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.errors import BadRequest
from ai_gateway.formats import File, Format
from ai_gateway.surfaces.sse import EventStream

_STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


def parse(event: Event, protocol: frozenset[str], required: Mapping[str, type]) -> dict[str, Any]:
    """The body as a JSON object with what ``required`` names; unknown keys pass as they are.

    ``protocol`` are the keys that the gateway or a model acts on: one of them in other letters is
    refused, since a lenient upstream could take it for the real one behind the guardrails' back.
    """
    body = strictjson.loads(event.body)
    if not isinstance(body, dict):
        raise BadRequest(f"body: a JSON object was expected (found {type(body).__name__})")
    refuse_variants(body, protocol)
    refuse_addresses(body)
    for key, kind in required.items():
        if not isinstance(body.get(key), kind):
            found = f"found {type(body[key]).__name__}" if key in body else "it is missing"
            raise BadRequest(f"{key}: {_KINDS[kind]} was expected ({found})", param=key)
    return body


def refuse_variants(body: Mapping[str, Any], protocol: frozenset[str], at: str = "") -> None:
    """Raise BadRequest for a key of ``protocol`` in other letters, in what stands ``at``."""
    for key in body:
        # Go's JSON takes a long s for an s, as folding does and lower case does not.
        if key not in protocol and (meant := key.casefold()) in protocol:
            raise BadRequest(f"{key!r} is {meant!r} in other letters.", param=at or key)


def refuse_addresses(body: Mapping[str, Any]) -> None:
    """Raise BadRequest for a key that other gateways take a model's address or credential from.

    One of them behind this one would send its own credential there (CVE-2024-6587), and this one
    would keep the caller's in its records.
    """
    for key in body:
        if key.casefold() in _ADDRESSES:
            raise BadRequest(f"{key}: where a model is, and its key, no request says.", param=key)


_ADDRESSES = frozenset({"api_base", "api_key", "base_url", "custom_host"})
_KINDS: dict[type, str] = {
    str: "a string",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}


def ask(
    event: Event,
    context: Context,
    form: Format,
    body: Mapping[str, Any],
    files: tuple[File, ...] = (),
) -> Answer:
    """The answer of the model that ``body`` names, or of one that routing chooses."""
    stream, model = body.get("stream"), body.get("model")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest("stream: true or false was expected", param="stream")
    if model is not None and not isinstance(model, str):
        raise BadRequest("model: a string was expected", param="model")
    streamed = bool(stream) or form.binary
    call = Call(event, form.name, body, model=model, format=form, stream=streamed, files=files)
    return context.answer(call)


def render(answer: Answer, stream: Callable[[], EventStream]) -> Reply:
    """An answer in its own format; ``stream`` gives its events where it is streamed."""
    if answer.chunks is not None:
        events = stream()
        headers = {**_STREAM_HEADERS, **answer.headers}
        return Reply(events, headers=headers, heartbeat=events.heartbeat)
    return whole(answer)


def whole(answer: Answer) -> Reply:
    """An answer of an API that has no streams, or whose streams are bytes."""
    if answer.pieces is not None:
        return Reply(answer.pieces, status=answer.status, headers=answer.headers)
    headers = answer.headers
    if not isinstance(answer.body, bytes):
        headers = {"content-type": "application/json", **headers}
    return Reply(answer.data(), status=answer.status, headers=headers)
