"""A route with a target: what of its request and answer the guardrails read, and where it goes.

A body that says it is JSON, or begins like it, must have one reading, and every string of it is
guarded; what is sent is serialised from that same value. Any other body is guarded as the text
that it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from ai_gateway import strictjson
from ai_gateway.answer.guard import strings
from ai_gateway.contract import Event
from ai_gateway.errors import InvalidJSON
from ai_gateway.guardrails.engine import Text
from ai_gateway.manifest.model import Manifest
from ai_gateway.upstream import ProxyRequest, RawReply


@dataclass(frozen=True, slots=True)
class Content:
    """A body as it is passed on, and the texts in it."""

    data: bytes
    texts: list[Text]

    @property
    def text(self) -> str:
        """What the guardrails read, for the record."""
        return "\n".join(text.text for text in self.texts)


def question(event: Event) -> Content:
    """The request's body and query; raises InvalidJSON for JSON with two readings."""
    query = [Text(event.query, "input")] if event.query else []
    if not event.body:
        return Content(b"", query)
    if _is_json(event.headers.get("content-type", ""), event.body):
        value = strictjson.loads(event.body)
        found = [Text(text, "input") for text in strings(value)]
        return Content(strictjson.dumps(value), query + found)
    return Content(event.body, [*query, Text(event.body.decode("utf-8", "replace"), "input")])


def reply(raw: RawReply) -> Content:
    """The answer's body; JSON with two readings is guarded as text, it is not ours to refuse."""
    kind = raw.headers.get("content-type", "")
    try:
        value = strictjson.loads(raw.body) if _is_json(kind, raw.body) else None
    except InvalidJSON:
        value = None
    if value is not None:
        return Content(raw.body, [Text(text, "output") for text in strings(value)])
    return Content(raw.body, [Text(raw.body.decode("utf-8", "replace"), "output")])


def request(event: Event, manifest: Manifest, body: bytes) -> ProxyRequest:
    """What goes to the target of the event's route."""
    route = event.route
    below = event.path_parameters.get("below")
    return ProxyRequest(
        name=route.name,
        target=route.target or "",
        method=event.method,
        path=f"/{below}" if below is not None else "",
        query=event.query,
        headers=event.headers,
        body=body,
        credentials=route.credentials,
        allowed_hosts=manifest.allowed_hosts,
    )


def _is_json(content_type: str, body: bytes) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return (
        kind == "application/json"
        or kind.endswith("+json")
        or body.lstrip().startswith((b"[", b"{"))
    )
