"""A model's reasoning: thinking blocks on one side, three fields of a message on the other.

Chat completions have no field of their own for it. NIM, vLLM and DeepSeek call its text
``reasoning_content`` or ``reasoning``; OpenRouter's ``reasoning_details`` also hold what Anthropic
needs to take its own thinking back: signatures and encrypted blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ai_gateway.translate import sealed
from ai_gateway.translate.deltas import parted, thought

Block = dict[str, Any]

_FORMAT = "anthropic-claude-v1"
_TYPES = ("reasoning.encrypted", "reasoning.summary", "reasoning.text")
#: The signature of what was thought in parts of the content, as Mistral's models take it back.
PARTED = "content.thinking"


def detail(block: Mapping[str, Any], index: int) -> Block:
    """A thinking or redacted_thinking block, or a part of one, as an item of reasoning_details."""
    found: Block = {"type": "reasoning.text", "index": index, "format": _FORMAT}
    if block.get("data"):
        return found | {"type": "reasoning.encrypted"} | _unsealed("data", block["data"])
    if block.get("thinking"):
        found["text"] = block["thinking"]
    if block.get("signature"):
        found |= _unsealed("signature", block["signature"])
    return found


def _unsealed(name: str, value: str) -> Block:
    """A signature or encrypted reasoning, with the format and id of the item it stood in."""
    found = sealed.unseal(value)
    if found is None:
        return {name: value}
    kind, identity, given = found
    return {"format": kind, name: given} | ({"id": identity} if identity else {})


def details(blocks: Iterable[Mapping[str, Any]]) -> list[Block]:
    """reasoning_details of whole blocks."""
    return [detail(block, index) for index, block in enumerate(blocks)]


def text(blocks: Iterable[Mapping[str, Any]]) -> str:
    """What can be read of ``blocks``."""
    return "".join(block.get("thinking") or "" for block in blocks)


def pieces(message: Mapping[str, Any]) -> list[Block]:
    """A chat message's or delta's reasoning as thinking blocks, or as pieces of them.

    The plain fields say again what reasoning_details say, unless none of these can be read; those
    of unknown types say nothing here.
    """
    found = message.get("reasoning_details")
    listed = [piece for item in found if (piece := _piece(item))] if isinstance(found, list) else []
    if any(piece.get("thinking") for piece in listed):
        return listed
    plain = {"": thought(message), PARTED: parted(message)}
    said = [
        {"type": "thinking", "thinking": text, "signature": signature}
        for signature, text in plain.items()
        if text
    ]
    return [*said, *listed]


def _piece(item: object) -> Block:
    if not isinstance(item, Mapping):
        return {}
    data = item.get("data")
    if isinstance(data, str) and data:
        return {"type": "redacted_thinking", "data": _sealed(item, data)}
    said, signature = item.get("text") or item.get("summary"), item.get("signature")
    said = said if isinstance(said, str) else ""
    signature = _sealed(item, signature) if isinstance(signature, str) and signature else ""
    if not said and not signature:
        return {}
    return {"type": "thinking", "thinking": said, "signature": signature}


def _sealed(item: Mapping[str, Any], value: str) -> str:
    """A signature or encrypted reasoning; another provider's than Anthropic says whose it is."""
    kind = item.get("format")
    if not isinstance(kind, str) or kind in ("", _FORMAT):
        return value
    return sealed.seal(kind, item.get("id"), value)


def signed(block: Mapping[str, Any]) -> bool:
    """Whether a block has a signature, or encrypted reasoning, that could be Anthropic's own."""
    value = block.get("signature") or block.get("data") or ""
    return value != "" and sealed.unseal(value) is None


def without_foreign(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Messages request without the reasoning of other providers, which Anthropic's refuses.

    A conversation has it, unsigned too, where a turn was answered by a model of another API.
    """
    turns = body.get("messages")
    if not isinstance(turns, list):
        return body
    kept = [_without_foreign(turn) for turn in turns]
    changed = any(new is not old for new, old in zip(kept, turns, strict=True))
    return {**body, "messages": kept} if changed else body


def _without_foreign(turn: Any) -> Any:
    content = turn.get("content") if isinstance(turn, Mapping) else None
    if not isinstance(content, list) or not any(map(_is_foreign, content)):
        return turn
    kept = [block for block in content if not _is_foreign(block)]
    return {**turn, "content": kept} if kept else turn  # a turn must say something


def _is_foreign(block: object) -> bool:
    if not isinstance(block, Mapping):
        return False
    kind = block.get("type")
    if kind not in ("thinking", "redacted_thinking"):
        return False
    value = block.get("signature" if kind == "thinking" else "data")
    return isinstance(value, str) and (value in ("", PARTED) or sealed.unseal(value) is not None)


def known(item: object) -> bool:
    """Whether something of reasoning_details is passed on, or says nothing that could be."""
    kind = item.get("type") if isinstance(item, Mapping) else None
    return kind in _TYPES or bool(_piece(item))


def merged(parts: Iterable[Block]) -> list[Block]:
    """Blocks of pieces that came one after another: a signature ends a thinking block."""
    blocks: list[Block] = []
    for part in parts:
        last = blocks[-1] if blocks else {}
        if part["type"] == last.get("type") == "thinking" and not last["signature"]:
            last["thinking"] += part["thinking"]
            last["signature"] = part["signature"]
        else:
            blocks.append(dict(part))
    return blocks
