"""What checks look at: the texts of a request or an answer, and what stands around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Text:
    """One piece of a request or an answer, and its stage: input, system, tool or output."""

    text: str
    stage: str


class Ask(Protocol):
    """Puts a body to a model of the bundle, for a check's own sake."""

    def __call__(
        self, model: str, path: str, body: Mapping[str, Any], seconds: float
    ) -> Mapping[str, Any]:
        """What ``model`` answers on ``path`` within ``seconds``; raises a GatewayError."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is known around a text.

    ``texts`` are the request's, and behind them the answer's where that is what is inspected.
    """

    texts: Sequence[Text] = ()
    #: The request as it was parsed, and the model that its caller named.
    request: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    #: None where no model may be asked.
    ask: Ask | None = None

    def of(self, *stages: str) -> Iterator[str]:
        """The texts of ``stages``, in order."""
        return (text.text for text in self.texts if text.stage in stages)


#: Where nothing is known around a text.
NOTHING = Scene()
