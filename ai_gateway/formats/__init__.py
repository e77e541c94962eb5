"""What the bodies of the APIs hold that callers and models speak, one file an API.

A body is the parsed JSON, never a copy of it in another shape: what the guardrails read is what is
sent. A Format says where in it the texts, the answer and the usage are; ``ai_gateway.translate``
turns one format into another where a model speaks another than the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from ai_gateway.guardrails.scene import Text

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file in a form. It is passed on as it came; nothing reads it, and no record holds it."""

    name: str
    filename: str
    content_type: str
    data: bytes = field(repr=False)

    def described(self) -> dict[str, Any]:
        """What stands in the request's body in its place."""
        digest = f"sha256:{hashlib.sha256(self.data).hexdigest()}"
        return {
            "filename": self.filename,
            "content_type": self.content_type,
            "bytes": len(self.data),
            "digest": digest,
        }


class Usage(NamedTuple):
    """Tokens, None where the upstream did not say; cached count in input, reasoning in output."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    #: The upstream's own words, from which the cost can be worked out again.
    raw: Mapping[str, Any] | None = None


#: What an upstream used that told nothing.
UNTOLD: Final = Usage()


class Reading(NamedTuple):
    """What the gateway itself reads of an answer: its text, tool arguments too, and its end."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage = UNTOLD


class Reader(Protocol):
    """Reads a stream as it passes."""

    def add(self, chunk: Body) -> None:
        """One event's data."""

    def reading(self) -> Reading:
        """What was read so far."""


def _silent(_data: bytes) -> Reading:
    return Reading()


def _none(_body: Body) -> list[Text]:
    return []


@dataclass(frozen=True, slots=True)
class Format:
    """One API's bodies."""

    name: str
    #: Below the model's URL.
    path: str
    #: Every text of a request, in order, tool calls and tool results included.
    texts: Callable[[Body], list[Text]]
    #: What a whole answer says; raises UpstreamError for what is no answer.
    read: Callable[[Body], Reading]
    #: A new Reader for a stream; None where the API has no streams.
    reader: Callable[[], Reader] | None = None
    #: Whether an event of a stream says anything yet, or how the answer ended.
    says: Callable[[Body], bool] = bool
    #: The API's own headers, which go with a request that is not translated.
    headers: tuple[str, ...] = ()
    #: The texts that define tools and answers, which are guarded too; ``texts`` holds none of them.
    definitions: Callable[[Body], list[Text]] = _none
    #: What an answer says that is no JSON, as some below ``/audio/`` are.
    plain: Callable[[bytes], Reading] = _silent
    #: The key of an answer that holds the model's name, if one does.
    named: str | None = "model"
    #: Whether a stream is bytes as they come and no events.
    binary: bool = False
    #: Whether its answers' words are not what it generates, so that tokens are not made up of them.
    wordless: bool = False
