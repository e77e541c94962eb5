"""What of a scene a model is shown: nothing is left out that it is to judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from ai_gateway.guardrails.check import Stage
from ai_gateway.guardrails.scene import Scene

#: One part in so many of a window stood in the one before, so that no sentence falls between two.
_OVERLAP: Final = 8
_SPEAKERS: Final = ("user", "assistant")
Turn = tuple[str, str]  # role, text


def together(scene: Scene, *stages: str) -> str:
    """All texts of ``stages``, each once."""
    return "\n".join(dict.fromkeys(scene.of(*stages)))


def windows(text: str, room: int) -> list[str]:
    """``text`` in parts of at most ``room`` characters that overlap; none where it is blank."""
    if len(text) <= room:
        return [text] if text.strip() else []
    overlap = room // _OVERLAP
    return [text[at : at + room] for at in range(0, len(text) - overlap, room - overlap)]


def cut(text: str, room: int) -> str:
    """``text`` without its middle, where it has more than ``room`` characters."""
    half = room // 2
    return text if len(text) <= room else f"{text[:half]}\n[...]\n{text[-half:]}"


def exchanges(scene: Scene, stage: Stage, room: int) -> list[tuple[str, str | None]]:
    """What is judged at ``stage`` as pairs: what was said, and the answer at stage ``output``.

    The request that an answer belongs to is shown to understand it, and may be cut therefore.
    """
    if stage != "output":
        return [(said, None) for said in windows(together(scene, stage), room)]
    asked = cut(together(scene, "input"), room // 2)
    return [(asked, said) for said in windows(together(scene, "output"), room - len(asked))]


def turns(scene: Scene) -> list[Turn]:
    """The conversation in the order in which it was held, up to what its caller said last.

    Texts that are part of no message (a tool's description) come first. What a caller puts behind
    the last message of a user is the caller's own word as well.
    """
    texts = dict.fromkeys(scene.of("input"))
    spoken = [(role, parts) for role, parts in _messages(scene.request) if parts]
    known = {text for _, parts in spoken for text in (*parts, "".join(parts))}
    beside = "\n".join(text for text in texts if text not in known)
    found = [("user", beside), *((role, "\n".join(parts)) for role, parts in spoken)]
    found = [(role, text) for role, text in found if text.strip()]
    if found:
        found[-1] = ("user", found[-1][1])
    # Templates of chat models want the roles to take turns.
    return [
        (role, "\n".join(text for _, text in group))
        for role, group in groupby(found, key=itemgetter(0))
    ]


def _messages(request: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each message of users and models, whichever API it came in: its role and its texts."""
    for name in ("messages", "input"):
        listed = request.get(name)
        for message in listed if isinstance(listed, list) else ():
            role = message.get("role") if isinstance(message, Mapping) else None
            if role in _SPEAKERS:
                yield role, list(_texts(message.get("content")))


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            yield text
