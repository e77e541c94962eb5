"""Values made from a JSON schema: the arguments of a tool call, and structured answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ai_gateway.simulator import text

_DEEPEST = 8  # levels; a schema may refer to itself
_MOST_ITEMS = 4
_FORMATS = {
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "date-time": "2026-01-01T12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


@dataclass(frozen=True, slots=True)
class _Maker:
    """What a value is made from: the text that it is about, and the key of all draws."""

    about: str
    key: tuple[object, ...]
    root: dict[str, Any]
    depth: int = 0

    def make(self, schema: Any, *path: object) -> Any:
        """A value that fits ``schema``."""
        schema = self._resolved(schema)
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        if schema.get("enum"):
            return text.draw(schema["enum"], *self.key, *path)
        maker = _MAKERS.get(_kind(schema))
        return maker(self, schema, path) if maker else None

    def deeper(self) -> _Maker:
        """The same, one level down."""
        return replace(self, depth=self.depth + 1)

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """``schema`` without references and alternatives."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict):
                return {}
            if "$ref" in schema:
                schema = self._referred(str(schema["$ref"]))
                continue
            options = schema.get("anyOf") or schema.get("oneOf")
            if not isinstance(options, list):
                break
            # At the bottom the simplest alternative ends a schema that refers to itself.
            schema = options[-1 if self.depth >= _DEEPEST else 0]
        return _merged(schema)

    def _referred(self, reference: str) -> Any:
        found: Any = self.root
        for part in filter(None, reference.lstrip("#").split("/")):
            found = found.get(part) if isinstance(found, dict) else None
        return found


def sample(schema: dict[str, Any], about: str, *key: object) -> Any:
    """A value that fits ``schema`` and takes its words from ``about``; the same for the same key.

    Read are type, properties, items, enum, const, default, anyOf, oneOf, allOf, local $ref, format,
    and the bounds of numbers, lengths and items; a ``pattern`` is not.
    """
    return _Maker(about, key, schema).make(schema)


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    parts = [part for part in schema.get("allOf") or () if isinstance(part, dict)]
    if not parts:
        return schema
    properties: dict[str, Any] = {}
    for part in (schema, *parts):
        properties |= part.get("properties") or {}
    merged = {name: value for part in (*parts, schema) for name, value in part.items()}
    return {**merged, "properties": properties} if properties else merged


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "string"
    return str(kind)


def _object(maker: _Maker, schema: dict[str, Any], path: tuple[object, ...]) -> dict[str, Any]:
    if maker.depth >= _DEEPEST:
        return {}
    properties = schema.get("properties") or {}
    return {name: maker.deeper().make(value, *path, name) for name, value in properties.items()}


def _array(maker: _Maker, schema: dict[str, Any], path: tuple[object, ...]) -> list[Any]:
    if maker.depth >= _DEEPEST:
        return []
    count = min(max(1, schema.get("minItems", 1)), schema.get("maxItems", _MOST_ITEMS))
    items = schema.get("items", {})
    return [maker.deeper().make(items, *path, index) for index in range(count)]


def _string(maker: _Maker, schema: dict[str, Any], path: tuple[object, ...]) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    said = _topic(maker.about, path)
    return said.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _topic(about: str, path: tuple[object, ...]) -> str:
    """A name that the text mentions, else its last word of meaning, else the field's name."""
    words = text.keywords(about)
    names = [word for word in words[1:] if word[:1].isupper()]
    return (names or words[-1:] or [str(path[-1]) if path else "text"])[0]


def _integer(maker: _Maker, schema: dict[str, Any], path: tuple[object, ...]) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 11) - 1)
    return int(low + text.number(*maker.key, *path) % max(1, int(high - low) + 1))


def _number(maker: _Maker, schema: dict[str, Any], path: tuple[object, ...]) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0.0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1.0))
    share = (1 + text.number(*maker.key, *path) % 99) / 100
    return round(float(low + share * (high - low)), 4)


def _boolean(maker: _Maker, _: dict[str, Any], path: tuple[object, ...]) -> bool:
    return text.draw((True, False), *maker.key, *path)


_MAKERS: dict[str, Callable[[_Maker, dict[str, Any], tuple[object, ...]], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
