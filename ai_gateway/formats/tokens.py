"""Anthropic's count of a request's tokens: a Messages request in, one number out."""

from __future__ import annotations

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading
from ai_gateway.formats.chat import count
from ai_gateway.formats.messages import MESSAGES


def read(body: Body) -> Reading:
    """Nothing is said: a number is no text, and what it counts was not sent to a model."""
    if count(body, "input_tokens") is None:
        raise UpstreamError("The model answered without a count of tokens.")
    return Reading()


COUNT_TOKENS = Format(
    name="count_tokens",
    path="/messages/count_tokens",
    texts=MESSAGES.texts,
    read=read,
    definitions=MESSAGES.definitions,
    headers=MESSAGES.headers,
    named=None,
)
