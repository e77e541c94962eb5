"""One attempt: a message is signed, sent, and taken or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ai_gateway import __version__
from ai_gateway.clock import Clock
from ai_gateway.errors import CallerLeft, GatewayError
from ai_gateway.resilience.retrying import retry_after
from ai_gateway.upstream import Notice, Upstreams
from ai_gateway.upstream.cancel import NEVER, Cancel
from ai_gateway.webhooks import signing
from ai_gateway.webhooks.receivers import Receiver

#: The longest that a receiver's Retry-After is obeyed, in seconds.
MOST_WAIT: Final = 3600.0
_TAKEN: Final = range(200, 300)
_HEADERS: Final = {
    "content-type": "application/json",
    "user-agent": f"ai-gateway/{__version__}",
    "accept": "*/*",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to.

    ``reason`` is ``status`` or an error's code where it was not taken; ``final`` where it never
    will be; ``wait`` the seconds that the receiver asks for; ``cut`` where the process ends.
    """

    taken: bool = False
    status: int | None = None
    reason: str = ""
    #: For the log; it holds no address.
    said: str = ""
    wait: float = 0.0
    final: bool = False
    cut: bool = False


class Sender:
    """Sends to receivers, each at an address that was checked when it was connected to."""

    def __init__(self, upstreams: Upstreams, clock: Clock) -> None:
        self._upstreams = upstreams
        self._clock = clock

    def send(
        self, receiver: Receiver, message_id: str, body: bytes, cancel: Cancel = NEVER
    ) -> Outcome:
        """Have ``receiver`` take ``body``; never raises for what a receiver does."""
        signed = signing.headers(message_id, int(self._clock.now()), body, receiver.secrets)
        notice = Notice(
            name=receiver.name,
            url=receiver.url,
            headers={**_HEADERS, **signed},
            body=body,
            timeout=receiver.timeout,
            allowed_hosts=receiver.allowed_hosts,
            ca_file=receiver.ca_file,
        )
        try:
            status, headers = self._upstreams.notify(notice, cancel=cancel)
        except CallerLeft:
            return Outcome(cut=True)
        except GatewayError as error:
            return Outcome(reason=error.code, said=error.message)
        return self._answered(status, headers)

    def _answered(self, status: int, headers: Mapping[str, str]) -> Outcome:
        if status in _TAKEN:
            return Outcome(taken=True, status=status)
        asked = retry_after(headers, self._clock.now()) or 0.0
        return Outcome(
            status=status,
            reason="status",
            said=f"It answered with the status {status}.",
            wait=min(asked, MOST_WAIT),
            final=status == HTTPStatus.GONE,  # Standard Webhooks: it wants no more of them
        )

    def close(self) -> None:
        """Close every connection."""
        self._upstreams.close()
