"""What the fields of a request may hold, and what a server says of the first that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Fits = Callable[[object], bool]
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what fits, in words too, and whether it must be there."""

    name: str
    fits: Fits
    expected: str
    required: bool = False


def problem(body: dict[str, Any], fields: Iterable[Field]) -> str | None:
    """What is wrong with the first field that is wrong."""
    for field in fields:
        value = body.get(field.name)
        if (value is not None or field.required) and not field.fits(value):
            return f"{field.name}: {field.expected} was expected, found {str(value)[:60]!r}."
    return None


def is_a(kind: type) -> Fits:
    """Values of that type."""
    return lambda value: isinstance(value, kind)


def one_of(*options: object) -> Fits:
    """Those values."""
    return lambda value: isinstance(value, str) and value in options


def real(lowest: float, highest: float) -> Fits:
    """Numbers within bounds."""
    return lambda value: (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and lowest <= value <= highest
    )


def integer(lowest: int, highest: int) -> Fits:
    """Whole numbers within bounds."""
    within = real(lowest, highest)
    return lambda value: isinstance(value, int) and within(value)


def objects(value: object) -> bool:
    """A list of objects."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def strings(value: object) -> bool:
    """A string or a list of strings."""
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def prompts(value: object) -> bool:
    """What is to be completed or embedded: texts, or lists of token ids."""
    return strings(value) or (isinstance(value, list) and (_ids(value) or all(map(_ids, value))))


def messages(value: object) -> bool:
    """A list of messages with a role and a content."""
    return isinstance(value, list) and bool(value) and all(map(_message, value))


def tools(value: object) -> bool:
    """A list of functions as chat completions declare them."""
    return objects(value) and all(named(item.get("function")) for item in _list(value))


def named(value: object) -> bool:
    """An object with a name."""
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def all_named(value: object) -> bool:
    """A list of objects with a name."""
    return isinstance(value, list) and all(map(named, value))


def _list(value: Any) -> list[Any]:
    return list(value)


def _ids(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )


def _message(value: object) -> bool:
    return (
        isinstance(value, dict) and value.get("role") in _ROLES and _content(value.get("content"))
    )


def _content(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in value)
    return value is None or isinstance(value, str)
