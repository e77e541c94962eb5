"""A route with a target: what of its request and answer the guardrails read, and where it goes.

The path below the route, the query and the body are guarded as the target will read them, so with
their percent signs decoded. A body that says it is JSON or lines of it, or begins like it, must
have one reading, and every string of it is guarded; what is sent is serialised from that same
value. Any other body is guarded as the text that it is. What cannot be read is not passed on.
Headers are not guarded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from ai_gateway import strictjson
from ai_gateway.answer.guard import strings
from ai_gateway.contract import Event
from ai_gateway.errors import BadRequest, InvalidJSON, TooDeep
from ai_gateway.guardrails.scene import Text
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


_CHARSET = re.compile(r"charset[*0-9\s]*=[\s\"']*([^\s;,\"']*)", re.IGNORECASE)
#: Encodings of text in which a byte below 128 is that letter and nothing else.
_READABLE = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252"})
_FORM = "application/x-www-form-urlencoded"
#: One JSON value a line, as vector databases take them in bulk.
_JSON_LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)


def question(event: Event) -> Content:
    """The request's path, query and body; raises BadRequest for a body that cannot be read."""
    said = [event.path_parameters.get("below", ""), *_fields(event.query)]
    data, body = _body(event)
    return Content(data, [Text(text, "input") for text in (*said, *body) if text])


def _body(event: Event) -> tuple[bytes, list[str]]:
    """The body as it is passed on, and what it says."""
    body, content_type = event.body, event.headers.get("content-type", "")
    if not body:
        return b"", []
    _refuse_unreadable(event)
    if _kind(content_type) in _JSON_LINES:
        values = [strictjson.loads(line) for line in body.split(b"\n") if line.strip()]
        return b"".join(strictjson.dumps(value) + b"\n" for value in values), list(strings(values))
    if _is_json(content_type, body):
        value = strictjson.loads(body)
        return strictjson.dumps(value), list(strings(value))
    text = body.decode("utf-8", "replace")
    return body, list(_fields(text) if _kind(content_type) == _FORM else _said(text))


def _refuse_unreadable(event: Event) -> None:
    coding = event.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding != "identity":
        raise BadRequest(f"A body in the coding {coding[:40]!r} is not passed on; send it plain.")
    for charset in _CHARSET.findall(event.headers.get("content-type", "")):
        if charset.lower() not in _READABLE:
            raise BadRequest(f"A body in {charset[:40]!r} is not passed on; send it in UTF-8.")


def _fields(text: str) -> Iterator[str]:
    """What a query or a form says: all of it decoded, and every string of JSON in it."""
    if not text:
        return
    whole = unquote_plus(text)
    yield from _said(whole)
    for field in text.split("&"):
        for side in field.split("=", 1):
            if (plain := unquote_plus(side)) != whole:
                yield from _escaped(plain)


def _said(text: str) -> Iterator[str]:
    yield text
    yield from _escaped(text)


def _escaped(text: str) -> Iterator[str]:
    """Every string of JSON, both values of a key that stands twice: escapes hide letters."""
    text = text.lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[", '"')):
        return
    try:
        found = list(strings(json.loads(text, object_pairs_hook=list)))
    except RecursionError:
        raise TooDeep("JSON in the request nests deeper than can be read.") from None
    except ValueError:
        return
    yield from (item.encode("utf-8", "replace").decode() for item in found)


def reply(raw: RawReply) -> Content:
    """The answer's body; JSON with two readings is guarded in both, it is not ours to refuse."""
    kind, text = raw.headers.get("content-type", ""), raw.body.decode("utf-8", "replace")
    try:
        strict = raw.body and _is_json(kind, raw.body)
        said = strings(strictjson.loads(raw.body)) if strict else _said(text)
        return Content(raw.body, [Text(item, "output") for item in said])
    except InvalidJSON:
        return Content(raw.body, [Text(item, "output") for item in _said(text)])
    except TooDeep:
        return Content(raw.body, [Text(text, "output")])


def request(event: Event, manifest: Manifest, body: bytes) -> ProxyRequest:
    """What goes to the target of the event's route."""
    route = event.route
    at_slash = event.path != route.path and event.path.endswith("/")
    below = event.path_parameters.get("below", "" if at_slash else None)
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
    kind = _kind(content_type)
    return kind == "application/json" or kind.endswith("+json") or _begins_like_json(body)


def _begins_like_json(body: bytes) -> bool:
    """In any encoding that a JSON parser may try: only UTF-8 is passed on, and without a mark."""
    encoding = json.detect_encoding(body)
    text = body if encoding == "utf-8" else body.decode(encoding, "replace").encode()
    return text.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"[", b"{"))


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
