"""Who speaks what: the formats that a model takes, and translations for the others."""

from __future__ import annotations

from typing import Final

from ai_gateway.errors import BadRequest
from ai_gateway.formats import Format
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.translate import Translation
from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT
from ai_gateway.translate.responses import RESPONSES_TO_CHAT

#: Formats that a model of each dialect takes as they are.
NATIVE: Final = {
    "openai": frozenset({"chat", "completions", "embeddings", "rerank", "ranking", "images"}),
    "anthropic": frozenset({"messages"}),
}
TRANSLATED: Final[dict[tuple[str, str], tuple[Translation, Format]]] = {
    ("messages", "openai"): (MESSAGES_TO_CHAT, CHAT),
    ("responses", "openai"): (RESPONSES_TO_CHAT, CHAT),
    ("chat", "anthropic"): (CHAT_TO_MESSAGES, MESSAGES),
}


def spoken(form: Format, dialect: str) -> tuple[Translation | None, Format]:
    """How a call in ``form`` is put to a model of ``dialect``; raises BadRequest if it is not."""
    if form.name in NATIVE.get(dialect, ()):
        return None, form
    found = TRANSLATED.get((form.name, dialect))
    if found is None:
        raise BadRequest(f"This model does not take {form.name} requests.", param="model")
    return found
