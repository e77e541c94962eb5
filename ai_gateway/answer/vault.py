"""What a request's placeholders stand for: put in before a model sees it, taken out of its answer.

A vault belongs to one request and is never recorded: records hold the placeholders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson
import re2

from ai_gateway.guardrails.inspection import Redaction

#: Every placeholder looks so, and no longer one is made.
PLACEHOLDER: Final = re.compile(r"\[[A-Z][A-Z0-9_]{0,39}\]")
LONGEST: Final = 42  # characters
#: Keys whose strings the API reads, not the model.
_PROTOCOL: Final = frozenset(
    ("call_id", "id", "model", "object", "role", "status", "tool_call_id", "tool_use_id", "type")
)
#: Keys under which a string is JSON, whole or in pieces: a tool's arguments.
ARGUMENTS: Final = frozenset({"arguments", "partial_json"})
#: What a tool is called with where that is an object. Names below it are the tool's own.
INPUT: Final = "input"
_OWN: Final = "\0"
#: So many are looked for in strings that no check has read as they stand.
_MOST_SOUGHT: Final = 100
#: A picture or a signature holds any three letters by chance.
_ENCODED: Final = re2.compile(r"(?:data:[^,\s]*,)?[A-Za-z0-9+/=_\r\n-]{64,}")
_UNNAMED = re.compile(r"[^A-Z0-9]+")

Span = tuple[int, int, str]


def kind_of(name: str) -> str:
    """What a placeholder is called after: ``name`` in capitals."""
    plain = _UNNAMED.sub("_", name.upper()).strip("_")[:32].rstrip("_")
    return plain if plain[:1].isalpha() else f"X_{plain}"[:32].rstrip("_")


def merged(redactions: Iterable[Redaction]) -> list[Span]:
    """The places of one text in order; what overlaps is one, called after what begins first."""
    spans: list[Span] = []
    for found in sorted(redactions, key=lambda each: (each.start, -each.end)):
        if spans and found.start < spans[-1][1]:
            start, end, kind = spans[-1]
            spans[-1] = start, max(end, found.end), kind
        else:
            spans.append((found.start, found.end, kind_of(found.kind)))
    return spans


def replaced(text: str, spans: Iterable[Span], put: Callable[[str, str], str]) -> str:
    """``text`` with ``put(original, kind)`` in place of each of ``spans``."""
    pieces: list[str] = []
    done = 0
    for start, end, kind in spans:
        pieces += text[done:start], put(text[start:end], kind)
        done = end
    return "".join((*pieces, text[done:]))


def masked(text: str, redactions: Iterable[Redaction]) -> str:
    """``text`` with ``[KIND]`` in place of what was found in it, for good."""
    return replaced(text, merged(redactions), lambda _, kind: f"[{kind}]")


class Vault:
    """Originals and their placeholders, of one request."""

    __slots__ = ("_by_original", "_by_placeholder", "_counts", "_numbered", "_taken")

    def __init__(self, taken: Iterable[str] = (), *, numbered: bool = True) -> None:
        """``taken``: texts that may hold what looks like a placeholder and is none of ours.

        Without numbers all of one kind look alike, and none can be restored.
        """
        self._numbered = numbered
        self._by_original: dict[str, str] = {}
        self._by_placeholder: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._taken = {found for text in taken for found in PLACEHOLDER.findall(text)}

    def __bool__(self) -> bool:
        return bool(self._by_placeholder)

    def put(self, original: str, kind: str) -> str:
        """The placeholder of ``original``: the same each time."""
        known = self._by_original.get(original)
        if known is not None:
            return known
        placeholder = self._next(kind) if self._numbered else f"[{kind}]"
        self._by_original[original] = placeholder
        self._by_placeholder[placeholder] = original
        return placeholder

    def _next(self, kind: str) -> str:
        while True:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            placeholder = f"[{kind}_{number}]"
            if placeholder not in self._taken:
                return placeholder

    def hide(self, value: Any, redactions: Iterable[Redaction]) -> Any:
        """A copy of a JSON value in which nothing of ``redactions`` stands any more.

        Texts that were inspected lose their places; other strings, such as arguments that are
        JSON, lose what was found elsewhere. What is left has to be looked for again.
        """
        by_text: dict[str, list[Redaction]] = {}
        for found in redactions:
            by_text.setdefault(found.text, []).append(found)
        hidden = {text: replaced(text, merged(found), self.put) for text, found in by_text.items()}
        sought = sorted(self._by_original, key=len, reverse=True)[:_MOST_SOUGHT]

        def hide(text: str, key: str | None) -> str:
            if text in hidden:
                return hidden[text]
            if key in _PROTOCOL:
                return text
            return self._without(text, sought)

        return mapped(value, hide)

    def _without(self, text: str, sought: Iterable[str]) -> str:
        if not any(original in text for original in sought) or _ENCODED.fullmatch(text):
            return text
        head, mark, sealed = text.rpartition(";")  # what is sealed has its kind before it
        if not _ENCODED.fullmatch(sealed):
            head, mark, sealed = text, "", ""
        for original in sought:
            head = head.replace(original, self._by_original[original])
        return f"{head}{mark}{sealed}"

    def restore(self, value: Any) -> Any:
        """A copy of a JSON value with the originals in the place of our placeholders."""

        def back(text: str, key: str | None) -> str:
            return self.restored(text, escaped=key in ARGUMENTS)

        return mapped(value, back, names=lambda name: self.restored(name, escaped=False))

    def restored(self, text: str, *, escaped: bool) -> str:
        """The same for one text; ``escaped`` where it is JSON, or a part of it, itself."""
        if "[" not in text:
            return text
        return PLACEHOLDER.sub(lambda found: self.original(found[0], escaped=escaped), text)

    def original(self, placeholder: str, *, escaped: bool) -> str:
        """What ``placeholder`` stands for; itself where it is none of ours."""
        original = self._by_placeholder.get(placeholder, placeholder)
        return json.dumps(original, ensure_ascii=False)[1:-1] if escaped else original

    def stripped(self, text: str) -> str:
        """``text`` without our placeholders, to look at what else there is."""
        ours = self._by_placeholder
        return PLACEHOLDER.sub(lambda found: " " if found[0] in ours else found[0], text)

    def hidden_bytes(self, body: bytes, redactions: Iterable[Redaction]) -> bytes:
        """``hide`` of a body of any kind: JSON keeps its form, all else is one text."""
        try:
            return orjson.dumps(self.hide(orjson.loads(body), redactions))
        except orjson.JSONDecodeError:
            text = body.decode("utf-8", "surrogateescape")
            hidden: str = self.hide(text, redactions)
            return hidden.encode("utf-8", "surrogateescape")

    def restored_bytes(self, body: bytes) -> bytes:
        """The same of a body of any kind: JSON keeps its form, and so do lines and events of it."""
        text = body.decode("utf-8", "surrogateescape")
        if self._by_placeholder.keys().isdisjoint(PLACEHOLDER.findall(text)):
            return body
        try:
            return orjson.dumps(self.restore(orjson.loads(body)))
        except orjson.JSONDecodeError:
            lines = map(self._restored_line, text.split("\n"))
            return "\n".join(lines).encode("utf-8", "surrogateescape")

    def _restored_line(self, line: str) -> str:
        said = line.removeprefix("data:").strip()
        try:
            value = orjson.loads(said) if "[" in said else None
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, (dict, list)):
            return self.restored(line, escaped=False)
        return line.replace(said, orjson.dumps(self.restore(value)).decode())


def mapped(
    value: Any,
    change: Callable[[str, str | None], str],
    key: str | None = None,
    *,
    names: Callable[[str], str] = str,
) -> Any:
    """A copy of a JSON value with each string changed, and each key of an object by ``names``.

    ``change`` is told the key that a string stands under, but not below a tool's input.
    """
    if isinstance(value, str):
        return change(value, key)
    if isinstance(value, Mapping):
        own = _OWN if key in (INPUT, _OWN) else None
        return {
            names(name): mapped(item, change, own or name, names=names)
            for name, item in value.items()
        }
    if isinstance(value, list):
        # A list of inputs has the API's own items.
        below = None if key == INPUT else key
        return [mapped(item, change, below, names=names) for item in value]
    return value
