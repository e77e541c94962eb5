"""What a receiver of webhooks is told, and how much of what it answers is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httpx

from ai_gateway.addresses import listed
from ai_gateway.errors import GatewayError, UpstreamUnreachable
from ai_gateway.upstream.exchange import Incoming

#: Bytes of an answer that are read, so that its connection can serve again; none is kept.
MOST: Final = 16_384
_CONNECT: Final = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Notice:
    """One POST to a receiver that the operator named.

    ``name`` is what errors call it. Its host must be of the public internet, or stand in
    ``allowed_hosts``. ``timeout`` is of the whole exchange, in seconds.
    """

    name: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    max_connections: int = 100

    @property
    def limits(self) -> dict[str, float]:
        """Seconds to connect and to the first byte, under httpx's names for them."""
        return {"connect": min(_CONNECT, self.timeout), "read": self.timeout}

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Its headers as they are written."""
        return [
            (name.encode("ascii"), value.encode("ascii")) for name, value in self.headers.items()
        ]


def checked(who: str, url: httpx.URL, allowed: tuple[str, ...]) -> httpx.URL:
    """``url``, unless it is plain http to a host that is not listed by name or network."""
    if url.scheme == "https" or listed(url.host, allowed):
        return url
    raise UpstreamUnreachable(
        f"{who} is told by https only: its host does not stand in allowed_hosts.",
        HTTPStatus.BAD_GATEWAY,
    )


def discard(incoming: Incoming) -> None:
    """Read the answer to its end if that is near, and close it: only its head counts."""
    read = 0
    try:
        for chunk in incoming.chunks():
            read += len(chunk)
            if read > MOST:
                break
    except GatewayError:  # its status came
        pass
    finally:
        incoming.close()
