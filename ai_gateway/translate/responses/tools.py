"""A Responses request's tools as those of chat completions: flat there, nested here."""

from __future__ import annotations

from typing import Any

from ai_gateway.translate.responses.reading import Body, items, mapping, only, string, unserved

_FUNCTION = ("name", "description", "parameters", "strict")


def offered(value: object) -> dict[str, Any]:
    """``tools``: functions, which the caller runs; nobody here runs hosted ones."""
    found = [_function(tool, f"tools.{at}") for at, tool in enumerate(items(value, "tools"))]
    return {"tools": found} if found else {}


def _function(tool: Body, place: str) -> dict[str, Any]:
    kind = string(tool, "type", place)
    if kind != "function":
        raise unserved(f"{place}.type", f"{kind[:100]!r} is no function, and nobody here runs it")
    string(tool, "name", place)
    only(tool, ("type", *_FUNCTION), place)
    return {
        "type": "function",
        "function": {key: tool[key] for key in _FUNCTION if tool.get(key) is not None},
    }


def choice(value: object) -> dict[str, Any]:
    """``tool_choice``: a word, or one function."""
    if isinstance(value, str):
        return {"tool_choice": value}
    wanted = mapping(value, "tool_choice")
    if wanted.get("type") != "function":
        raise unserved("tool_choice.type", "a word or one function can be chosen")
    only(wanted, ("type", "name"), "tool_choice")
    name = string(wanted, "name", "tool_choice")
    return {"tool_choice": {"type": "function", "function": {"name": name}}}
