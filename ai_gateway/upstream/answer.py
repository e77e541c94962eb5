"""What came back: an answer, or one clear error. What an answer says is its format's business."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import orjson

from ai_gateway.errors import UpstreamError
from ai_gateway.upstream import errors, halves
from ai_gateway.upstream.exchange import RawReply

SUCCESS = range(200, 300)
_FEW = 200  # brackets in an answer that cannot nest deeper than the gateway writes
_TOOL = b'"tool_use"'  # whose input is JSON of the tool's own, and no text
_LONG = re.compile(rb"\d{19}")  # digits that may be more than 64 bits


def parsed(data: bytes, mended: Callable[[str], str] = halves.replaced) -> Any:
    """The JSON value in ``data``; raises ValueError.

    Bytes that are no UTF-8 are replaced; what becomes of halves of characters, ``mended`` knows.
    """
    try:
        value = orjson.loads(data)
    except ValueError:
        data = mended(data.decode("utf-8", "replace")).encode()
        value = orjson.loads(data)
    if data.count(b"[") + data.count(b"{") > _FEW:
        try:
            orjson.dumps(value)  # reads deeper than it writes
        except TypeError:
            raise ValueError("too deep") from None
    if _TOOL in data and _LONG.search(data):
        return json.loads(data)  # orjson rounds an integer beyond 64 bits
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
    if "html" in raw.headers.get("content-type", "").lower():
        return "an HTML page, as a login page is,"
    constant = _constant(raw.body)
    return f"{constant}, which is no JSON," if constant else "something"


def _constant(body: bytes) -> str | None:
    """NaN or an infinity in ``body``, which some servers write for a number."""
    found: list[str] = []
    with suppress(ValueError, RecursionError):
        json.loads(body, parse_constant=found.append)
    return found[0] if found else None


def _useless(who: str, what: str) -> NoReturn:
    raise UpstreamError(f"{who} answered with {what}.")
