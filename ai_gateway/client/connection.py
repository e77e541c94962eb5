"""What both clients have in common: where the gateway is, the key, and what a reply means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ai_gateway.client import clusters
from ai_gateway.client.calls import Call, Value
from ai_gateway.client.errors import GatewayError, ServerError, Unreachable, of_status
from ai_gateway.client.retrying import Retrying

if TYPE_CHECKING:
    from typing_extensions import Self


class Connection:
    """A gateway's URL and the key for it. The key is in no ``repr`` and in no error."""

    def __init__(
        self,
        api_key: str,
        *,
        url: str = clusters.DEFAULT,
        clusters_file: Path | None = None,
        timeout: float = 60.0,
        retrying: Retrying | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            api_key: The administrator's key, or an issued one.
            url: Where the gateway is, until ``connect`` says otherwise.
            clusters_file: Instead of ``~/.config/ai-gateway/clusters.yaml``.
            timeout: Seconds for a connection, and for each read and write.
            retrying: How often and after how long a call is tried again.

        Raises:
            ValueError: For a key or URL that is none; the message does not show them.
        """
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError("API key required: printable ASCII without a space")
        self._key = api_key
        self._url = _base(url)
        self._clusters = clusters_file
        self._timeout = timeout
        self._retrying = retrying or Retrying()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self._url!r})"

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return self._url

    def connect(self, cluster: str | None = None, *, url: str | None = None) -> Self:
        """Itself, with the gateway of a cluster by its name, or at a URL. Nothing is sent yet.

        Raises:
            ValueError: For both or neither, an unknown cluster, or a URL that is none.
        """
        if (cluster is None) == (url is None):
            raise ValueError("either a cluster or a url")
        if cluster is not None:
            url = clusters.url_of(cluster, self._clusters)
        self._url = _base(url or "")
        return self

    def _request(self, call: Call[Any]) -> httpx.Request:
        return httpx.Request(
            call.method,
            self._url + call.path,
            headers={"authorization": f"Bearer {self._key}", **call.headers},
            json=call.body,
            extensions={"timeout": httpx.Timeout(self._timeout).as_dict()},
        )

    def _value(self, call: Call[Value], outcome: httpx.Response | Exception) -> Value:
        """What a reply says; raises a GatewayError for a refusal and where there is none."""
        if isinstance(outcome, Exception):
            kind = type(outcome).__name__
            raise Unreachable(f"The gateway at {self._url} gave no answer ({kind}).")
        if not outcome.is_success:
            raise self._error(outcome)
        try:
            return call.read(outcome)
        except (ValueError, KeyError, TypeError, AttributeError):
            message = f"What answers at {self._url} is no gateway of this version."
            raise ServerError(message, status=outcome.status_code) from None

    def _error(self, reply: httpx.Response) -> GatewayError:
        try:
            told = dict(reply.json()["error"])
        except (ValueError, KeyError, TypeError):
            told = {}
        message = str(told.get("message") or f"{reply.status_code} without a message")
        return of_status(reply.status_code)(
            message.replace(self._key, "[key]"),
            status=reply.status_code,
            code=told.get("code"),
            request_id=reply.headers.get("x-request-id"),
        )


def _base(url: str) -> str:
    try:
        found = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        found = httpx.URL()
    if found.scheme not in {"http", "https"} or not found.host or found.userinfo or found.query:
        raise ValueError("a gateway's URL is http://HOST:PORT or https://HOST, without a user")
    return str(found).rstrip("/")
