"""A request's object, read key by key; what nobody read is refused by its name."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterator
from typing import Any, NoReturn, TypeVar, cast

from ai_gateway.errors import BadRequest

Kind = TypeVar("Kind")

_NAMES = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a string",
}


def refuse(place: str, why: str) -> NoReturn:
    """400: what stands at ``place`` of the caller's request cannot be translated."""
    param = place[:100]
    raise BadRequest(f"{param}: {why}", param=param)


def expect(value: Any, kind: type[Kind], place: str) -> Kind:
    """``value``, if it is of ``kind``; a whole number is a number, a boolean is neither."""
    whole = kind is float and isinstance(value, int)
    if not (isinstance(value, kind) or whole) or (isinstance(value, bool) and kind is not bool):
        refuse(place, f"{_NAMES[kind]} was expected, found {reprlib.repr(value)}.")
    return cast("Kind", value)


def items(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Where each item of a list stands, and the item."""
    for index, item in enumerate(expect(value, list, place)):
        yield f"{place}.{index}", item


class Fields:
    """One object at ``place`` ("" for the request itself). A key with null counts as absent."""

    def __init__(self, value: Any, place: str = "") -> None:
        found = expect(value, dict, place or "body")
        self._left = {key: item for key, item in found.items() if item is not None}
        self._place = place

    def at(self, key: str) -> str:
        """Where ``key`` stands in the request."""
        return f"{self._place}.{key}" if self._place else key

    def take(self, key: str, kind: type[Kind]) -> Kind | None:
        """The value of ``key``, None if there is none."""
        value = self._left.pop(key, None)
        return None if value is None else expect(value, kind, self.at(key))

    def need(self, key: str, kind: type[Kind]) -> Kind:
        """The value of ``key``, which must be there."""
        return expect(self._left.pop(key, None), kind, self.at(key))

    def take_any(self, key: str) -> Any:
        """The value of ``key`` of whatever kind."""
        return self._left.pop(key, None)

    def only(self, key: str, values: Collection[Any], why: str) -> Any:
        """The value of ``key``, which must be absent or one of ``values``."""
        value = self._left.pop(key, None)
        if value is not None and value not in values:
            refuse(self.at(key), f"{why} (found {reprlib.repr(value)})")
        return value

    def move(self, names: Collection[str], target: dict[str, Any]) -> None:
        """Move what both formats call by the same name, as it is, to ``target``."""
        target |= {name: self._left.pop(name) for name in names if name in self._left}

    def end(self, why: str) -> None:
        """Refuse the first key that nobody has read."""
        for key in self._left:
            refuse(self.at(key), why)
