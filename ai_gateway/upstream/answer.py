"""What came back: an answer, or one clear error. What an answer says is its format's business."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from ai_gateway.errors import UpstreamError
from ai_gateway.upstream import errors
from ai_gateway.upstream.exchange import RawReply

SUCCESS = range(200, 300)
_FEW = 200  # brackets in an answer that cannot nest deeper than the gateway writes


def parsed(data: bytes) -> Any:
    """The JSON value in ``data``; raises ValueError. Bytes that are no UTF-8 are replaced."""
    try:
        value = orjson.loads(data)
    except ValueError:
        value = orjson.loads(data.decode("utf-8", "replace"))
    if data.count(b"[") + data.count(b"{") > _FEW:
        try:
            orjson.dumps(value)  # reads deeper than it writes
        except TypeError:
            raise ValueError("too deep") from None
    return value


def checked(
    who: str, raw: RawReply, token: str | None, *, json_due: bool
) -> dict[str, Any] | bytes:
    """The body of ``raw`` (decoded): the object in it, or its bytes where JSON is not due.

    Any other status than success, an error body under one, and JSON that is none raise the
    UpstreamError family.
    """
    if raw.status not in SUCCESS:
        raise errors.refusal(who, raw.status, raw.headers, raw.body, token)
    kind = raw.headers.get("content-type", "").lower()
    if not json_due and "json" not in kind:
        if "html" in kind:
            _useless(who, _kind(raw))
        return raw.body
    value = _object(who, raw)
    status = errors.code(value)
    if status is not None:
        raise errors.refusal(who, status, raw.headers, raw.body, token)
    return value


def _object(who: str, raw: RawReply) -> dict[str, Any]:
    try:
        value = parsed(raw.body)
    except ValueError:
        _useless(who, f"{_kind(raw)} where JSON was due")
    value = errors.unlisted(value)
    if not isinstance(value, dict):
        _useless(who, "JSON that is no object")
    return value


def _kind(raw: RawReply) -> str:
    if not raw.body.strip():
        return "an empty body"
    html = "html" in raw.headers.get("content-type", "").lower()
    return "an HTML page, as a login page is," if html else "something"


def _useless(who: str, what: str) -> NoReturn:
    raise UpstreamError(f"{who} answered with {what}.")
