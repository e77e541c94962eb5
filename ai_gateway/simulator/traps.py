"""What servers really send that breaks a careless reader of streams: one function a trap.

A trap gets the events of a stream, one ``bytes`` each, and gives back what is sent instead. Those
that look into an event look for the chunks of chat and text completions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from ai_gateway.simulator.reply import DONE, event

Events = tuple[bytes, ...]


def end(events: Events) -> Events:
    """The end mark of ``events``, where there is one."""
    return events[-1:] if events[-1:] == (DONE,) else ()


def spoil(events: Events, names: tuple[str, ...]) -> Events:
    """``events`` with the traps of those names in them, whatever their order in the directive."""
    for name, trap in TRAPS.items():
        if name in names:
            events = trap(events)
    return events


def spoil_body(pieces: tuple[bytes, ...], names: tuple[str, ...]) -> tuple[bytes, ...]:
    """A plain body with those traps that it can have: choices that hold nothing, or no choices."""
    for name in ("bare-choices", "empty-choices"):
        if name in names and pieces[0].startswith(b"{"):
            body = orjson.loads(pieces[0])
            body["choices"] = _BARE[name](body.get("choices", []))
            pieces = (orjson.dumps(body),)
    return pieces


def _bare(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hidden = ("message", "delta", "text")
    return [{k: v for k, v in choice.items() if k not in hidden} for choice in choices]


_BARE: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "bare-choices": _bare,
    "empty-choices": lambda _: [],
}


def _chunk(piece: bytes) -> dict[str, Any] | None:
    """The chunk in an event that has choices."""
    if not piece.startswith(b"data: {"):
        return None
    body: dict[str, Any] = orjson.loads(piece[6:])
    return body if body.get("choices") else None


def _last(events: Events) -> int:
    """Where the chunk with the last finish reason stands, or the last event."""
    ends = [
        index
        for index, piece in enumerate(events)
        if (chunk := _chunk(piece)) and chunk["choices"][0].get("finish_reason")
    ]
    return ends[-1] if ends else len(events) - 1


def _duplicate_finish(events: Events) -> Events:
    at = _last(events) + 1
    return (*events[:at], events[at - 1], *events[at:])


def _empty_deltas(events: Events) -> Events:
    return tuple(_with_empty(events))


def _with_empty(events: Events) -> Iterator[bytes]:
    for piece in events:
        yield piece
        chunk = _chunk(piece)
        if chunk and not chunk["choices"][0].get("finish_reason"):
            choice = chunk["choices"][0]
            yield event({**chunk, "choices": [{**choice, "delta": {}}]})
            yield event({**chunk, "choices": [{**choice, "delta": {"content": None}}]})


def _bare_choices(events: Events) -> Events:
    """After the first chunk one without ``delta``, one with null and one without ``choices``."""
    chunk = _chunk(events[0])
    if chunk is None:
        return events
    choice = chunk["choices"][0]
    without = {name: value for name, value in chunk.items() if name != "choices"}
    extra = (
        event({**chunk, "choices": _bare([choice])}),
        event({**chunk, "choices": [{**choice, "delta": None}]}),
        event(without),
    )
    return (events[0], *extra, *events[1:])


def _empty_choices(events: Events) -> Events:
    """At first a chunk without choices, as Azure sends the verdict of its content filter."""
    chunk = _chunk(events[0])
    if chunk is None:
        return events
    first = event({**chunk, "id": "", "choices": [], "prompt_filter_results": []})
    return (first, *events)


def _usage_chunk(events: Events) -> Events:
    """Before the end mark a chunk with usage and no choices, though nobody asked for one."""
    chunk = _chunk(events[0])
    if chunk is None:
        return events
    usage = {"prompt_tokens": 7, "completion_tokens": len(events), "total_tokens": 7 + len(events)}
    mark = end(events)
    body = events[: len(events) - len(mark)]
    return (*body, event({**chunk, "choices": [], "usage": usage}), *mark)


def _broken_event(events: Events) -> Events:
    return (*events[:1], b'data: {"id": "broken\n\n', *events[1:])


def _line_ends(ends: bytes) -> Callable[[Events], Events]:
    return lambda events: tuple(piece.replace(b"\n", ends) for piece in events)


TRAPS: dict[str, Callable[[Events], Events]] = {
    "duplicate-finish": _duplicate_finish,
    "empty-deltas": _empty_deltas,
    "bare-choices": _bare_choices,
    "usage-chunk": _usage_chunk,
    "empty-choices": _empty_choices,
    "broken-event": _broken_event,
    "no-done": lambda events: events[:-1],
    "ping-comments": lambda events: tuple(b": ping\n\n" + piece for piece in events),
    "crlf": _line_ends(b"\r\n"),
    "cr": _line_ends(b"\r"),
}
