"""What a provider must get back as it gave it, in the one opaque string that a caller's API keeps.

The caller hands it back unread, as it does a provider's own; no provider's own has the separator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SEPARATOR = ";"
_SIGNATURE = "thought_signature"
_OF_A_CALL = f".{_SIGNATURE}"


def seal(kind: str, identity: object, value: str) -> str:
    """``value`` with its kind, and the id of what it belongs to, if it has one."""
    return _SEPARATOR.join((kind, identity if isinstance(identity, str) else "", value))


def unseal(text: str) -> tuple[str, str, str] | None:
    """Kind, id and value, None where ``text`` is a provider's own."""
    match text.split(_SEPARATOR):
        case [kind, identity, value]:
            return kind, identity, value
    return None


def signature(call: Mapping[str, Any], identity: str) -> str:
    """The signature of a tool call, which Gemini takes back only with it; empty where none is."""
    extra = call.get("extra_content")
    for provider, said in extra.items() if isinstance(extra, Mapping) else ():
        value = said.get(_SIGNATURE) if isinstance(said, Mapping) else None
        if isinstance(value, str) and value:
            return seal(f"{provider}{_OF_A_CALL}", identity, value)
    return ""


def signed(text: object) -> dict[str, dict[str, Any]]:
    """What a tool call takes back beside its function, by its id; nothing where none is sealed."""
    found = unseal(text) if isinstance(text, str) else None
    if found is None:
        return {}
    kind, identity, value = found
    if not kind.endswith(_OF_A_CALL):
        return {}
    provider = kind.removesuffix(_OF_A_CALL)
    return {identity: {"extra_content": {provider: {_SIGNATURE: value}}}}
