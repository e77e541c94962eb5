"""Who speaks what: the formats that a model takes, and translations for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from ai_gateway.errors import BadRequest
from ai_gateway.formats import Body, Format
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.translate import Translation, through
from ai_gateway.translate.anthropic import CHAT_TO_MESSAGES, MESSAGES_TO_CHAT, reasoning
from ai_gateway.translate.counting import estimated
from ai_gateway.translate.responses import RESPONSES_TO_CHAT

#: Formats that a model of each dialect takes as they are.
NATIVE: Final = {
    "openai": frozenset(
        (
            *("chat", "completions", "embeddings", "rerank", "ranking"),
            *("images", "image_edits", "image_variations"),
            *("speech", "transcriptions", "translations"),
        )
    ),
    "anthropic": frozenset({"messages", "count_tokens"}),
    "oip": frozenset({"infer"}),
}
TRANSLATED: Final[dict[tuple[str, str], tuple[Translation, Format]]] = {
    ("messages", "openai"): (MESSAGES_TO_CHAT, CHAT),
    ("responses", "openai"): (RESPONSES_TO_CHAT, CHAT),
    ("chat", "anthropic"): (CHAT_TO_MESSAGES, MESSAGES),
    ("responses", "anthropic"): (through(RESPONSES_TO_CHAT, CHAT_TO_MESSAGES), MESSAGES),
}
#: What the gateway answers itself, since the model's API has nothing of the kind.
OWN: Final[dict[tuple[str, str], Callable[[Body], dict[str, Any]]]] = {
    ("count_tokens", "openai"): estimated,
}


class Spoken(NamedTuple):
    """A request as a model of one dialect takes it, and the way back of what it answers.

    ``asked`` is the caller's own request, ``created`` when it came, in seconds since 1970.
    """

    format: Format
    body: Body
    asked: Body
    created: int
    translation: Translation | None = None
    #: The answer, where no model is asked for it.
    own: Body | None = None

    def answer(self, said: Body) -> Body:
        """A whole answer in the caller's format."""
        if self.translation is None:
            return said
        return self.translation.answer(said, self.asked, self.created)

    def stream(self, chunks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """A stream's events in the caller's format."""
        if self.translation is None:
            return iter(chunks)
        # The usage that the gateway wants is shown to who asked for it, by the surface.
        asked = {**self.asked, "stream_options": {"include_usage": True}}
        return self.translation.stream(chunks, asked, self.created)


def spoken(form: Format, body: Body, dialect: str, created: int) -> Spoken:
    """How a request in ``form`` is put to a model of ``dialect``.

    Raises BadRequest, which names what the model cannot be told, or the format where it is not
    translated at all.
    """
    if form.name in NATIVE.get(dialect, ()):
        told = reasoning.without_foreign(body) if dialect == "anthropic" else body
        return Spoken(form, told, body, created)
    if own := OWN.get((form.name, dialect)):
        return Spoken(form, body, body, created, own=own(body))
    found = TRANSLATED.get((form.name, dialect))
    if found is None:
        raise BadRequest(
            f"This model speaks {dialect} and does not take {form.name} requests.", param="model"
        )
    translation, theirs = found
    return Spoken(theirs, translation.request(body), body, created, translation)
