"""A streamed answer: read as it passes, and recorded when it ends, however it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ai_gateway.errors import CallerLeft, GatewayError, UpstreamError, internal_error
from ai_gateway.formats import Reader, Reading
from ai_gateway.translate.table import Spoken

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where the events come from: their names and data."""

    def __iter__(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The events; a GatewayError where it breaks."""

    def close(self) -> None:
        """No more is wanted."""


#: Told once of what was read, and of the error that ended it.
Ended = Callable[[Reading, GatewayError | None], None]


class Streamed:
    """Passes a model's events on. A stream that stops before its answer is finished is an error."""

    def __init__(self, source: Source, reader: Reader, ended: Ended) -> None:
        self._source = source
        self._reader = reader
        self._ended: Ended | None = ended

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data, in the model's format."""
        try:
            for _, chunk in self._source:
                self._reader.add(chunk)
                yield chunk
            if self._reader.reading().finish_reason is None:
                raise UpstreamError("The model's answer ended early.")
        except GatewayError as error:
            self._end(error)
            raise
        self._end(None)

    def fail(self, error: GatewayError) -> None:
        """What was read cannot be passed on."""
        self._source.close()
        self._end(error)

    def close(self) -> None:
        """Let go of the upstream; who closes before the answer's end was read has left."""
        self._source.close()
        if self._ended:
            read = self._reader.reading().finish_reason is not None
            self._end(None if read else CallerLeft("The caller left before the end."))

    def _end(self, error: GatewayError | None) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended(self._reader.reading(), error)


class Translated:
    """A stream in the caller's format, under the gateway's name of the model.

    A failure that nobody foresaw is raised, and recorded, as one that is safe for the caller.
    """

    def __init__(self, streamed: Streamed, spoken: Spoken, model: str, request_id: str) -> None:
        self._streamed = streamed
        self._request_id = request_id
        self._spoken = spoken
        self._model = model

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data."""
        try:
            for chunk in self._spoken.stream(self._streamed):
                self._rename(chunk)
                yield chunk
        except GatewayError:
            raise
        except Exception as error:
            log.exception("request %s failed in its stream", self._request_id)
            failure = internal_error(self._request_id)
            self._streamed.fail(failure)
            raise failure from error
        self.close()  # a translation does not wait for what follows the answer's end

    def close(self) -> None:
        """Let go of the upstream."""
        self._streamed.close()

    def _rename(self, chunk: dict[str, Any]) -> None:
        for part in (chunk, chunk.get("message"), chunk.get("response")):
            if isinstance(part, dict) and "model" in part:
                part["model"] = self._model


class Held:
    """A streamed answer that was held back until all of it was checked."""

    def __init__(self, chunks: list[dict[str, Any]]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data."""
        return iter(self._chunks)

    def close(self) -> None:
        """There is nothing to let go of."""
