"""OpenAI's image generations: a prompt in, images as base64 or as URLs out."""

from __future__ import annotations

from collections.abc import Mapping

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, responses
from ai_gateway.guardrails.engine import Text


def texts(body: Body) -> list[Text]:
    """The prompt."""
    prompt = body.get("prompt")
    return [Text(prompt, "input")] if isinstance(prompt, str) else []


def read(body: Body) -> Reading:
    """The prompts as the model rewrote them, and the tokens; an image's bytes are not read."""
    images = body.get("data")
    if not isinstance(images, list):
        raise UpstreamError("The model answered without images.")
    said = [image.get("revised_prompt") for image in images if isinstance(image, Mapping)]
    return Reading(
        "\n".join(text for text in said if isinstance(text, str)),
        usage=responses.usage(body.get("usage")),
    )


IMAGES = Format(name="images", path="/images/generations", texts=texts, read=read)
