"""What a surface hands to ``context.answer`` and what it gets back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ai_gateway import strictjson
from ai_gateway.answer.pieces import Pieces
from ai_gateway.contract import Event
from ai_gateway.errors import BadRequest
from ai_gateway.formats import File, Format
from ai_gateway.formats.chat import CHAT
from ai_gateway.guardrails.scene import Text
from ai_gateway.translate.table import Spoken, spoken

#: What a caller sends as ``model`` who leaves the choice to the routing.
AUTO: Final = (None, "", "auto")


@dataclass(frozen=True, slots=True)
class Call:
    """One question for a model, in the caller's own format.

    ``model`` is what the caller named: a model, a route, or ``None``/``auto`` to let the routing
    choose. On a route with a target the event's own body is what is passed on.
    """

    event: Event
    surface: str
    body: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    format: Format = CHAT
    stream: bool = False
    #: Of a form, passed on as they came; ``body`` describes them.
    files: tuple[File, ...] = ()
    #: ``model`` is the name of a route, whose routing is that of the event's route.
    routed: bool = False
    #: What ``spoken`` worked out, by dialect; a changed copy of the call begins without.
    _spoken: dict[str, Spoken] = field(init=False, default_factory=dict, repr=False, compare=False)
    #: The same of ``texts``.
    _texts: list[Text] = field(init=False, default_factory=list, repr=False, compare=False)

    def texts(self) -> Sequence[Text]:
        """Every text of the request, as its format reads them, taken out of the body once."""
        if not self._texts:
            self._texts.extend(self.format.texts(self.body))
        return self._texts

    def spoken(self, dialect: str) -> Spoken:
        """The call as a model of ``dialect`` takes it, worked out once; raises BadRequest."""
        found = self._spoken.get(dialect)
        if found is None:
            created = int(self.event.received_at)
            found = self._spoken[dialect] = spoken(self.format, self.body, dialect, created)
        return found

    def refusal(self, dialect: str) -> BadRequest | None:
        """Why a model of ``dialect`` cannot be told what the call says, if it cannot."""
        try:
            self.spoken(dialect)
        except BadRequest as error:
            return error
        return None


class Chunks(Protocol):
    """A streamed answer's events, in the caller's format. It is recorded when it ends."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data; a GatewayError where it breaks."""

    def close(self) -> None:
        """The caller left, or has all; to be called always."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer: its text, the whole body, and headers that say who and why.

    Of a streamed answer there are ``chunks`` instead of text and body, or ``pieces`` where it is
    bytes.
    """

    model: str
    text: str = ""
    body: Mapping[str, Any] | bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Chunks | None = None
    pieces: Pieces | None = None
    #: What ``data`` wrote; a changed copy of the answer begins without.
    _data: list[bytes] = field(init=False, default_factory=list, repr=False, compare=False)

    def data(self) -> bytes:
        """The body as it leaves, written once for its digest and its caller."""
        if not self._data:
            body = self.body
            self._data.append(body if isinstance(body, bytes) else strictjson.dumps(body))
        return self._data[0]
