"""A stream that cannot be passed on ends in an error that is told and recorded."""

from contextlib import closing

import pytest

from ai_gateway.answer.streamed import Streamed, Translated
from ai_gateway.errors import GatewayError
from ai_gateway.formats import Reading
from ai_gateway.formats.chat import CHAT


class Source:
    """A model that sends these events."""

    def __init__(self, *events) -> None:
        self._events = events
        self.closed = False

    def __iter__(self):
        return iter([(None, event) for event in self._events])

    def close(self) -> None:
        """No more is wanted."""
        self.closed = True


def told(source, form, said) -> tuple[GatewayError, list[GatewayError | None]]:
    """What reading ``source`` to its end raises, and what its end was told."""
    ends: list[GatewayError | None] = []

    def ended(_reading: Reading, error: GatewayError | None) -> None:
        ends.append(error)

    streamed = Streamed(source, form.reader(), ended)
    chunks = Translated(streamed, said, "model-a", "request-1")
    with closing(chunks), pytest.raises(GatewayError) as raised:
        list(chunks)
    return raised.value, ends


def test_a_failure_that_nobody_foresaw_is_recorded_as_one() -> None:
    """It is no caller's leaving; the caller gets the request's id alone, the upstream is let go."""

    class Broken:
        """A translation with a mistake in it."""

        def stream(self, chunks):
            """The first event, and then the mistake."""
            yield next(iter(chunks))
            raise KeyError("a-secret")

    source = Source({"choices": []}, {"choices": []})
    error, ends = told(source, CHAT, Broken())
    assert (error.status, error.code) == (500, GatewayError.code)
    assert "request-1" in error.message
    assert "a-secret" not in error.message
    assert ends == [error]
    assert source.closed
