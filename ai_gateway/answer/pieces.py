"""A streamed answer that is bytes: measured as it passes, and recorded when it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from ai_gateway.errors import CallerLeft, GatewayError


class Source(Protocol):
    """Where the bytes come from."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces; a GatewayError where it breaks."""

    def close(self) -> None:
        """No more is wanted."""


#: Told once how many bytes there were, their SHA-256, and the error that ended them.
Ended = Callable[[int, str, GatewayError | None], None]


class Pieces:
    """Passes a model's bytes on. What breaks is raised: the server cuts the connection then."""

    def __init__(self, source: Source, ended: Ended) -> None:
        self._source = source
        self._ended: Ended | None = ended
        self._hash = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        """The bytes as they come."""
        try:
            for piece in self._source:
                self._hash.update(piece)
                self._size += len(piece)
                yield piece
        except GatewayError as error:
            self._end(error)
            raise
        self._end(None)

    def close(self) -> None:
        """Let go of the upstream; who closes before the end has left."""
        self._source.close()
        self._end(CallerLeft("The caller left before the end."))

    def _end(self, error: GatewayError | None) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended(self._size, f"sha256:{self._hash.hexdigest()}", error)
