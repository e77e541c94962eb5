"""Embeddings, as OpenAI, NIM and vLLM speak them: texts in, vectors out."""

from __future__ import annotations

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, chat
from ai_gateway.formats.definitions import definitions
from ai_gateway.guardrails.scene import Text

#: Keys of a request that ``texts`` reads, and that hold numbers or names of the API's own.
_KNOWN = frozenset(
    (
        *("dimensions", "encoding_format", "input", "input_type", "messages", "model", "truncate"),
        "user",
    )
)


def texts(body: Body) -> list[Text]:
    """The texts to embed, and vLLM's ``messages``.

    Token ids, which some clients send by default, hold no text that could be read; nothing is
    generated from them either.
    """
    messages = chat.texts(body) if isinstance(body.get("messages"), list) else []
    return [Text(text, "input") for text in chat.parts(body.get("input"))] + messages


def read(body: Body) -> Reading:
    """The tokens; vectors say nothing."""
    if not isinstance(body.get("data"), list):
        raise UpstreamError("The model answered without embeddings.")
    return Reading(usage=chat.usage(body.get("usage")))


EMBEDDINGS = Format(
    name="embeddings",
    path="/embeddings",
    texts=texts,
    read=read,
    definitions=lambda body: definitions(body, _KNOWN),
)
