"""Latency, traps and faults on request: ``status=429; retry-after=2``, ``cut=mid-body``, ``crlf``.

A directive is a list of names, some with a value, divided by semicolons; docs/simulator.md has the
table. ``parse`` reads one, ``edit`` changes a reply accordingly; what concerns the connection
(waiting, dripping, cutting) is left to the server, what the model says to ``answering``.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ai_gateway.simulator import traps
from ai_gateway.simulator.reply import FLAT, OPENAI, Dialect, Reply, plain

Cut = Literal["after-headers", "mid-body", "mid-utf8"]
Reasoning = Literal["reasoning", "reasoning_content", "think"]

_LOGIN = b"""<!DOCTYPE html>
<html><head><title>Sign in</title></head>
<body><form method="post" action="/login"><input name="username"></form></body></html>
"""
_ACCENTS = "The crème brûlée costs 7 €."
_LONGEST_WAIT = 600.0
_MOST = 100_000  # tokens, chunks or bytes
_REDIRECTS = (301, 302, 303, 307, 308)
_STATUSES = {str(status): status for status in (*_REDIRECTS, *range(400, 600))}
_CUTS = ("after-headers", "mid-body", "mid-utf8")
REASONINGS = ("reasoning", "reasoning_content", "think")


@dataclass(frozen=True, slots=True)
class Fault:
    """One directive. Times are in seconds; what is not asked for is None, zero, empty or False."""

    status: int | None = None
    body: Literal["json", "text", "flat"] = "json"
    retry_after: str | None = None
    latency: float = 0.0
    hang: float = 0.0
    slow_first_byte: float = 0.0
    chunk_delay: float = 0.0
    drip: float = 0.0
    cut: Cut | None = None
    say: str | None = None
    tokens: int = 0
    reasoning: Reasoning | None = None
    html: bool = False
    error_200: bool = False
    gzip: bool = False
    split: int = 0
    #: Chunks before the error, -1 for half of them.
    late_error: int | None = None
    traps: tuple[str, ...] = ()
    times: int | None = None


NONE = Fault()


def parse(directive: str) -> Fault:
    """The fault that ``directive`` asks for; ValueError says which part cannot be read."""
    fields: dict[str, Any] = {}
    for part in filter(None, map(str.strip, directive.split(";"))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name not in DIRECTIVES:
            raise ValueError(f"unknown directive {name!r}; known: {', '.join(DIRECTIVES)}")
        found = DIRECTIVES[name](name, value)
        fields |= {**found, "traps": fields.get("traps", ()) + found.get("traps", ())}
    return Fault(**fields)


def edit(reply: Reply, fault: Fault, dialect: Dialect = OPENAI) -> Reply:
    """``reply`` as it is under ``fault``: replaced by a failure, or with its events changed."""
    replaced = _replacement(fault, dialect)
    if replaced is not None:
        headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
        return replace(replaced, headers={**replaced.headers, **headers})
    if not reply.streamed:
        body = traps.spoil_body(reply.pieces, fault.traps)
        return _packed(replace(reply, pieces=body), fault)
    events = _failing(reply.pieces, fault, dialect)
    return _packed(replace(reply, pieces=traps.spoil(events, fault.traps)), fault)


def _replacement(fault: Fault, dialect: Dialect) -> Reply | None:
    if fault.status is not None:
        return _failure(fault.status, fault.body, dialect)
    if fault.html:
        return Reply(200, (_LOGIN,), "text/html; charset=utf-8")
    if fault.error_200:
        failure = dialect.error(500, "The simulator fails behind a status of 200.")
        return replace(failure, status=200)
    return None


def _failure(status: int, body: str, dialect: Dialect) -> Reply:
    if body == "text":
        return plain(status)
    failure = (FLAT if body == "flat" else dialect).error(
        status, f"The simulator was asked for status {status}."
    )
    return replace(failure, headers={"location": "/login"} if status in _REDIRECTS else {})


def _failing(events: tuple[bytes, ...], fault: Fault, dialect: Dialect) -> tuple[bytes, ...]:
    if fault.late_error is None:
        return events
    kept = fault.late_error if fault.late_error >= 0 else max(1, len(events) // 2)
    late = dialect.late(500, "The simulator fails in mid-stream.")
    return (*events[:kept], late, *traps.end(events))


def _packed(reply: Reply, fault: Fault) -> Reply:
    """``reply`` compressed, event by event, and cut into other writes."""
    if fault.gzip:
        pieces = _gzipped(reply.pieces) if reply.streamed else (gzip.compress(reply.pieces[0]),)
        headers = {**reply.headers, "content-encoding": "gzip", "vary": "accept-encoding"}
        reply = replace(reply, pieces=pieces, headers=headers)
    if fault.split:
        whole, size = b"".join(reply.pieces), fault.split
        pieces = tuple(whole[at : at + size] for at in range(0, len(whole), size))
        reply = replace(reply, pieces=pieces)
    return reply


def _gzipped(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return (*packed, packer.flush())


def _status(_: str, value: str) -> dict[str, Any]:
    code, _, body = value.partition("-")
    if code not in _STATUSES:
        raise ValueError(f"status={value} is no redirect and no error")
    if body not in ("", "json", "text", "flat"):
        raise ValueError(f"status={value}: a body is json, text or flat")
    return {"status": _STATUSES[code], "body": body or "json"}


def _seconds(default: float | None = None) -> Callable[[str, str], dict[str, Any]]:
    def read(name: str, value: str) -> dict[str, Any]:
        seconds = default if not value and default is not None else _number(name, value)
        return {_field(name): seconds}

    return read


def _number(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise ValueError(f"{name}={value} is no number of seconds up to {_LONGEST_WAIT:g}")
    return seconds


def _count(default: int | None = None) -> Callable[[str, str], dict[str, Any]]:
    def read(name: str, value: str) -> dict[str, Any]:
        if not value and default is not None:
            return {_field(name): default}
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(_MOST))):
            raise ValueError(f"{name}={value} is no whole number up to {_MOST}")
        return {_field(name): min(int(value), _MOST)}

    return read


def _cut(_: str, value: str) -> dict[str, Any]:
    if value not in _CUTS:
        raise ValueError(f"cut={value} is none of {', '.join(_CUTS)}")
    return {"cut": value, "say": _ACCENTS} if value == "mid-utf8" else {"cut": value}


def _reasoning(_: str, value: str) -> dict[str, Any]:
    if value not in ("", *REASONINGS):
        raise ValueError(f"reasoning={value} is none of {', '.join(REASONINGS)}")
    return {"reasoning": value or "reasoning"}


def _text(name: str, value: str) -> dict[str, Any]:
    if not value.isprintable():
        raise ValueError(f"{name} has an unprintable value")
    return {_field(name): value}


def _flag(name: str, value: str) -> dict[str, Any]:
    if value:
        raise ValueError(f"{name} takes no value, found {value!r}")
    return {"traps": (name,)} if name in traps.TRAPS else {_field(name): True}


def _field(name: str) -> str:
    return name.replace("-", "_")


DIRECTIVES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "status": _status,
    "retry-after": _text,
    "latency": _seconds(),
    "hang": _seconds(),
    "slow-first-byte": _seconds(),
    "chunk-delay": _seconds(),
    "drip": _seconds(0.01),
    "cut": _cut,
    "say": _text,
    "tokens": _count(),
    "reasoning": _reasoning,
    "html": _flag,
    "error-200": _flag,
    "gzip": _flag,
    "split": _count(7),
    "late-error": _count(-1),
    **dict.fromkeys(traps.TRAPS, _flag),
    "times": _count(),
}
