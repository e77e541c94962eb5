"""uvloop's event loop with deadlines for TLS, for which uvicorn has no setting."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

#: Seconds that a peer has to take note that a connection ends.
_SHUTDOWN_SECONDS = 5.0


class Loop(uvloop.Loop):
    """A loop whose servers end a handshake that is not done in time."""

    def __init__(self, handshake_seconds: float) -> None:
        super().__init__()
        self._handshake_seconds = handshake_seconds

    async def create_server(  # type: ignore[override]  # whatever its arguments are
        self, *arguments: Any, **named: Any
    ) -> asyncio.AbstractServer:
        """See asyncio."""
        if named.get("ssl") is not None:
            named["ssl_handshake_timeout"] = self._handshake_seconds
            named["ssl_shutdown_timeout"] = _SHUTDOWN_SECONDS
        return await super().create_server(*arguments, **named)
