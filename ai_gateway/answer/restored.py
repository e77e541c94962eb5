"""A streamed answer with the originals in the place of the request's placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from ai_gateway.answer.beside import UNREAD
from ai_gateway.answer.call import Chunks
from ai_gateway.answer.flow import Channel, Flow
from ai_gateway.answer.vault import LONGEST, PLACEHOLDER, Vault

_BEGUN: Final = re.compile(r"\[[A-Z0-9_]*\Z")


class Restored:
    """A placeholder may come in pieces: an event waits while its text may yet become one."""

    def __init__(self, chunks: Chunks, vault: Vault) -> None:
        self._chunks = chunks
        self._vault = vault

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events' data; copies, since a cache may keep what comes in."""
        flow = Flow(self._scan, UNREAD)
        for event in self._chunks:
            flow.add(deepcopy(event))
            yield from flow.look()
        yield from flow.look(final=True)

    def close(self) -> None:
        """Let go of the stream."""
        self._chunks.close()

    def _scan(self, channel: Channel, /, *, final: bool) -> None:
        text, start = channel.text, channel.start
        for found in PLACEHOLDER.finditer(text):
            original = self._vault.original(found[0], escaped=channel.escaped)
            channel.spans.append((start + found.start(), start + found.end(), original))
        begun = None if final else _BEGUN.search(text, max(0, len(text) - LONGEST))
        channel.seen = channel.end
        channel.safe = channel.end if begun is None else start + begun.start()
        channel.forget(channel.safe)
