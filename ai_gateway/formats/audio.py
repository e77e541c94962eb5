"""OpenAI's audio, as vLLM and NIM speak it too: speech from a text, and a text from speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage, chat, responses
from ai_gateway.formats.definitions import below
from ai_gateway.formats.said import said
from ai_gateway.guardrails.scene import Text

#: Keys of which no model reads a text: choices of the API's own, and recordings.
_UNSAID = frozenset(
    (
        *("model", "voice", "response_format", "stream_format", "speed", "temperature"),
        *("file", "language", "include[]", "timestamp_granularities[]", "chunking_strategy"),
    )
)


def texts(body: Body) -> list[Text]:
    """The input or prompt, instructions, and every other text a provider may have a name for."""
    return said(body, _UNSAID)


def read(body: Body) -> Reading:
    """What was heard, and the tokens; ``usage`` may count seconds instead."""
    if not isinstance(body.get("text"), str):
        raise UpstreamError("The model answered without a text.")
    return Reading(body["text"], usage=responses.usage(body.get("usage")))


def plain(data: bytes) -> Reading:
    """What was heard, as a text or as subtitles."""
    return Reading(data.decode("utf-8", "replace"))


class Reader:
    """Puts a stream's words together: OpenAI's events, or chunks as vLLM has them."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._finish: str | None = None
        self._usage = Usage()

    def add(self, chunk: Mapping[str, Any]) -> None:
        """One event's data."""
        if chunk.get("type") == "transcript.text.done":
            self._finish, self._usage = "stop", responses.usage(chunk.get("usage"))
        self._say(chunk.get("delta"))
        if isinstance(chunk.get("usage"), Mapping) and "prompt_tokens" in chunk["usage"]:
            self._usage = chat.usage(chunk["usage"])
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            self._say(below(choice, "delta", "content"))
            finish = below(choice, "finish_reason")
            self._finish = finish if isinstance(finish, str) else self._finish

    def _say(self, words: object) -> None:
        if isinstance(words, str):
            self._words.append(words)

    def reading(self) -> Reading:
        """What was heard so far."""
        return Reading("".join(self._words), self._finish, self._usage)


def _unread(_body: Body) -> Reading:
    raise UpstreamError("The model answered with JSON where sound was due.")


SPEECH = Format(name="speech", path="/audio/speech", texts=texts, read=_unread, binary=True)
TRANSCRIPTIONS = Format(
    name="transcriptions",
    path="/audio/transcriptions",
    texts=texts,
    read=read,
    reader=Reader,
    plain=plain,
    named=None,
    wordless=True,
)
TRANSLATIONS = Format(
    name="translations",
    path="/audio/translations",
    texts=texts,
    read=read,
    plain=plain,
    named=None,
    wordless=True,
)
