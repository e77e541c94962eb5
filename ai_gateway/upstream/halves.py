"""Halves of characters: JSON may escape one surrogate of a pair alone, which no UTF-8 can hold.

A server that cuts its text by units of UTF-16 sends the first half of an emoji in one event of a
stream and the second in the next (RFC 8259, 7 and 8.2).
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

_FIRST: Final = r"\\u[dD][89abAB][\da-fA-F]{2}"
_SECOND: Final = r"\\u[dD][c-fC-F][\da-fA-F]{2}"
#: In JSON: a pair, or any other escape, and the halves by what may become of them.
_ESCAPE: Final = re.compile(
    rf'{_FIRST}{_SECOND}|(?P<last>{_FIRST})(?=")|(?<=[^\\]")(?P<first>{_SECOND})'
    rf"|(?P<alone>{_FIRST}|{_SECOND})|\\."
)


def replaced(text: str) -> str:
    """JSON with U+FFFD in the place of every half."""
    return _ESCAPE.sub(_replaced, text)


def _replaced(found: re.Match[str]) -> str:
    return found[0] if found.lastgroup is None else r"\ufffd"


class Halves:
    """Puts a stream's characters together: a half that ends a string waits for the next event."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()

    def joined(self, text: str) -> str:
        """An event's JSON without halves; one that waited stands before its second.

        Strings are told apart by their order alone, which is that of the event before.
        """
        begun: deque[str] = deque()

        def put(found: re.Match[str]) -> str:
            if found.lastgroup == "last":
                begun.append(found[0])
                return ""
            if found.lastgroup == "first" and self._waiting:
                return self._waiting.popleft() + found[0]
            return _replaced(found)

        text = _ESCAPE.sub(put, text)
        self._waiting = begun or self._waiting
        return text
