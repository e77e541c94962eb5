"""OpenAI's images: a prompt in, pictures as base64 or as URLs out; for edits a form with files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage, responses
from ai_gateway.formats.said import said
from ai_gateway.guardrails.scene import Text

#: Keys of which no model reads a text: choices of the API's own, and pictures.
_UNSAID = frozenset(
    (
        *("background", "input_fidelity", "model", "moderation", "output_format", "quality"),
        *("response_format", "size", "style", "user", "image", "image[]", "mask"),
    )
)


def texts(body: Body) -> list[Text]:
    """The prompt, and every other text that a provider may have a name for."""
    return said(body, _UNSAID)


def read(body: Body) -> Reading:
    """The prompts as the model rewrote them, and the tokens; an image's bytes are not read."""
    images = body.get("data")
    if not isinstance(images, list):
        raise UpstreamError("The model answered without images.")
    found = [image.get("revised_prompt") for image in images if isinstance(image, Mapping)]
    return Reading(
        "\n".join(text for text in found if isinstance(text, str)),
        usage=responses.usage(body.get("usage")),
    )


class Reader:
    """Reads a stream of partial images, of which the last event has the usage."""

    def __init__(self) -> None:
        self._finish: str | None = None
        self._usage = Usage()

    def add(self, chunk: Mapping[str, Any]) -> None:
        """One event's data; the picture in it is not read."""
        if str(chunk.get("type")).endswith(".completed"):
            self._finish, self._usage = "completed", responses.usage(chunk.get("usage"))

    def reading(self) -> Reading:
        """Whether the picture is whole."""
        return Reading("", self._finish, self._usage)


def _format(name: str, path: str, reader: Callable[[], Reader] | None = Reader) -> Format:
    return Format(
        name=name, path=path, texts=texts, read=read, reader=reader, named=None, wordless=True
    )


IMAGES = _format("images", "/images/generations")
IMAGE_EDITS = _format("image_edits", "/images/edits")
IMAGE_VARIATIONS = _format("image_variations", "/images/variations", None)
