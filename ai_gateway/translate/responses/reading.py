"""Reads values of a caller's request; what is not as it should be is a BadRequest that names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ai_gateway.errors import BadRequest

Body = Mapping[str, Any]


def unserved(place: str, why: str) -> BadRequest:
    """The refusal of what a chat-completions model cannot be told."""
    return BadRequest(
        f"{place}: {why}; the model behind this route speaks chat completions.", param=place
    )


def mapping(value: object, place: str) -> Body:
    """``value``, an object."""
    if not isinstance(value, Mapping):
        raise BadRequest(f"{place}: an object was expected.", param=place)
    return value


def string(found: Body, key: str, place: str) -> str:
    """The string under ``key``; an empty ``place`` is the body itself."""
    value = found.get(key)
    if not isinstance(value, str):
        where = f"{place}.{key}" if place else key
        raise BadRequest(f"{where}: a string was expected.", param=where)
    return value


def word(found: Body, key: str) -> str:
    """The string under ``key``, empty where none is: to be looked up, never unhashable."""
    value = found.get(key)
    return value if isinstance(value, str) else ""


def items(value: object, place: str) -> list[Body]:
    """``value``, a list of objects."""
    if not isinstance(value, list):
        raise BadRequest(f"{place}: a list was expected.", param=place)
    return [mapping(item, f"{place}.{at}") for at, item in enumerate(value)]


def only(found: Body, known: Collection[str], place: str) -> None:
    """Refuses a key of ``found`` that says something and is not among the ``known``."""
    for key, value in found.items():
        if key not in known and value is not None:
            raise unserved(f"{place}.{key[:100]}", "this cannot be passed on")
