"""Latency and faults on request: ``status=429; retry-after=2``, ``cut=mid-body``, ``drip`` ...

A directive is a list of names, some with a value, divided by semicolons; docs/simulator.md has the
table. ``parse`` reads one, ``edit`` changes a reply accordingly; what concerns the connection
(waiting, dripping, cutting) is left to the server.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ai_gateway.simulator.reply import Reply, error, error_body, event, plain

Cut = Literal["after-headers", "mid-body", "mid-utf8"]
DONE = b"data: [DONE]\n\n"

_LOGIN = b"""<!DOCTYPE html>
<html><head><title>Sign in</title></head>
<body><form method="post" action="/login"><input name="username"></form></body></html>
"""
_ACCENTS = "The crème brûlée costs 7 €."
_LONGEST_WAIT = 600.0
_REDIRECTS = (301, 302, 303, 307, 308)
_STATUSES = {str(status): status for status in (*_REDIRECTS, *range(400, 600))}
_CUTS = ("after-headers", "mid-body", "mid-utf8")


@dataclass(frozen=True, slots=True)
class Fault:
    """One directive. Times are in seconds; what is not asked for is None, zero or False."""

    status: int | None = None
    body: Literal["json", "text", "flat"] = "json"
    retry_after: str | None = None
    latency: float = 0.0
    hang: float = 0.0
    slow_first_byte: float = 0.0
    drip: float = 0.0
    cut: Cut | None = None
    say: str | None = None
    html: bool = False
    error_200: bool = False
    late_error: bool = False
    no_done: bool = False
    ping_comments: bool = False
    times: int | None = None


NONE = Fault()


def parse(directive: str) -> Fault:
    """The fault that ``directive`` asks for; ValueError says which part cannot be read."""
    fields: dict[str, Any] = {}
    for part in filter(None, map(str.strip, directive.split(";"))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name not in DIRECTIVES:
            raise ValueError(f"unknown directive {name!r}; known: {', '.join(DIRECTIVES)}")
        fields |= DIRECTIVES[name](name, value)
    return Fault(**fields)


def edit(reply: Reply, fault: Fault) -> Reply:
    """``reply`` as it is under ``fault``: replaced by a failure, or with its events changed."""
    replaced = _replacement(fault)
    if replaced is None:
        return replace(reply, pieces=_events(reply.pieces, fault)) if reply.streamed else reply
    headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
    return replace(replaced, headers={**replaced.headers, **headers})


def _replacement(fault: Fault) -> Reply | None:
    if fault.status is not None:
        return _failure(fault.status, fault.body)
    if fault.html:
        return Reply(200, (_LOGIN,), "text/html; charset=utf-8")
    if fault.error_200:
        return replace(error(500, "The simulator fails behind a status of 200."), status=200)
    return None


def _failure(status: int, body: str) -> Reply:
    if body == "text":
        return plain(status)
    failure = error(status, f"The simulator was asked for status {status}.", flat=body == "flat")
    return replace(failure, headers={"location": "/login"} if status in _REDIRECTS else {})


def _events(events: tuple[bytes, ...], fault: Fault) -> tuple[bytes, ...]:
    if fault.late_error:
        late = event({"error": error_body(500, "The simulator fails in mid-stream.")})
        events = (*events[: max(1, len(events) // 2)], late, DONE)
    if fault.no_done:
        events = events[:-1]
    if fault.ping_comments:
        events = tuple(b": ping\n\n" + piece for piece in events)
    return events


def _status(_: str, value: str) -> dict[str, object]:
    code, _, body = value.partition("-")
    if code not in _STATUSES:
        raise ValueError(f"status={value} is no redirect and no error")
    if body not in ("", "json", "text", "flat"):
        raise ValueError(f"status={value}: a body is json, text or flat")
    return {"status": _STATUSES[code], "body": body or "json"}


def _seconds(default: float | None = None) -> Callable[[str, str], dict[str, object]]:
    def read(name: str, value: str) -> dict[str, object]:
        seconds = default if not value and default is not None else _number(name, value)
        return {name.replace("-", "_"): seconds}

    return read


def _number(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise ValueError(f"{name}={value} is no number of seconds up to {_LONGEST_WAIT:g}")
    return seconds


def _cut(_: str, value: str) -> dict[str, object]:
    if value not in _CUTS:
        raise ValueError(f"cut={value} is none of {', '.join(_CUTS)}")
    return {"cut": value, "say": _ACCENTS} if value == "mid-utf8" else {"cut": value}


def _times(_: str, value: str) -> dict[str, object]:
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"times={value} is no whole number")
    return {"times": int(value)}


def _text(name: str, value: str) -> dict[str, object]:
    if not value.isprintable():
        raise ValueError(f"{name} has an unprintable value")
    return {name.replace("-", "_"): value}


def _flag(name: str, value: str) -> dict[str, object]:
    if value:
        raise ValueError(f"{name} takes no value, found {value!r}")
    return {name.replace("-", "_"): True}


DIRECTIVES: dict[str, Callable[[str, str], dict[str, object]]] = {
    "status": _status,
    "retry-after": _text,
    "latency": _seconds(),
    "hang": _seconds(),
    "slow-first-byte": _seconds(),
    "drip": _seconds(0.01),
    "cut": _cut,
    "say": _text,
    "html": _flag,
    "error-200": _flag,
    "late-error": _flag,
    "no-done": _flag,
    "ping-comments": _flag,
    "times": _times,
}
