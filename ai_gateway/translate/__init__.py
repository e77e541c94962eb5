"""From one format to another: requests there, answers and streams back.

A Translation is pure: JSON values in, JSON values out. What has no counterpart in the other format
is a BadRequest that names it (``param``), never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Body = Mapping[str, Any]


class Answering(Protocol):
    """A model's whole answer in the caller's format."""

    def __call__(self, said: Body, asked: Body, created: int = 0, /) -> dict[str, Any]:
        """``said`` in answer to ``asked``, which came at ``created``, in seconds since 1970."""


class Streaming(Protocol):
    """A model's stream of event data in the caller's format, chunk by chunk as they come."""

    def __call__(
        self, chunks: Iterable[Body], asked: Body, created: int = 0, /
    ) -> Iterator[dict[str, Any]]:
        """``chunks`` in answer to ``asked``, which came at ``created``, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Translation:
    """How a caller of one format is served by a model of another."""

    #: The caller's request in the model's format.
    request: Callable[[Body], dict[str, Any]]
    #: The answer: when its request came counts for models that do not say when it was made.
    answer: Answering
    stream: Streaming


def through(near: Translation, far: Translation) -> Translation:
    """From the caller's format by ``near`` into a second one, and by ``far`` into the model's."""

    def request(asked: Body) -> dict[str, Any]:
        return far.request(near.request(asked))

    def answer(said: Body, asked: Body, created: int = 0) -> dict[str, Any]:
        return near.answer(far.answer(said, near.request(asked), created), asked, created)

    def stream(chunks: Iterable[Body], asked: Body, created: int = 0) -> Iterator[dict[str, Any]]:
        # Which are a chat's own; a format before it asks for what it needs by itself.
        plain = {key: value for key, value in asked.items() if key != "stream_options"}
        return near.stream(far.stream(chunks, near.request(plain), created), asked, created)

    return Translation(request=request, answer=answer, stream=stream)
