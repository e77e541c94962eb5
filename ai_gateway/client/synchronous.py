"""The client for plain code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from ai_gateway.client import calls, clusters
from ai_gateway.client.calls import UNSAID, Call, Unsaid, Value
from ai_gateway.client.connection import Connection
from ai_gateway.client.retrying import Retrying
from ai_gateway.client.values import Answer, Key, Requests, Route, Security

if TYPE_CHECKING:
    from typing_extensions import Self


class AI_Gateway(Connection):  # noqa: N801 - the name that its users know
    """A gateway: its admin API, and questions to it. Safe to share between threads.

    Every call raises a ``GatewayError`` for a refusal or failure. 429, failures of the server and
    of the connection are tried again, no other refusal is; what must not happen twice is repeated
    only where it cannot have happened.
    """

    def __init__(
        self,
        api_key: str,
        *,
        url: str = clusters.DEFAULT,
        clusters_file: Path | None = None,
        timeout: float = 60.0,
        retrying: Retrying | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """As ``Connection``; ``transport`` and ``sleep`` are how it sends and waits."""
        super().__init__(
            api_key, url=url, clusters_file=clusters_file, timeout=timeout, retrying=retrying
        )
        self._client = httpx.Client(transport=transport)
        self._sleep = sleep
        self.keys = Keys(self._send)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def create_route(
        self,
        path: str,
        target: str,
        methods: str | Sequence[str] = ("POST",),
        *,
        version: str | None = None,
        **more: Any,
    ) -> Route:
        """A path that is proxied to a target; the administrator's alone until it is secured.

        ``more`` is what else the admin API takes: ``name``, ``auth``, ``rateLimit``, ``timeout``.
        """
        return self._send(calls.create_route(path, target, methods, version, more))

    createRoute = create_route  # noqa: N815 - as other languages' SDKs call it

    def routes(self) -> list[Route]:
        """All routes, in the order of the file."""
        return self._send(calls.routes())

    def route(self, name: str) -> Route:
        """One route by its name."""
        return self._send(calls.route(name))

    def replace_route(
        self,
        name: str,
        path: str,
        target: str,
        methods: str | Sequence[str] = ("POST",),
        *,
        version: str | None = None,
        **more: Any,
    ) -> Route:
        """A route that is there as it is to be, whole and in one step: what is not said goes.

        Only while the bundle is ``version``, if one is given; PreconditionFailed where it is not,
        or where there is no such route. ``more`` as for ``create_route``.
        """
        return self._send(
            calls.replace_route(name, path, target, methods, version=version, more=more)
        )

    def delete_route(self, name: str, *, version: str | None = None) -> str | None:
        """Take a route out: only while the bundle is ``version``, if one is given.

        The bundle's version afterwards.
        """
        return self._send(calls.delete_route(name, version))

    def secure(
        self,
        endpoint: str,
        auth: str | Sequence[str] | Unsaid | None = UNSAID,
        rate_limit: int | str | Unsaid | None = UNSAID,
        *,
        version: str | None = None,
    ) -> Security:
        """Who may call a path, and how often: ``100`` a minute, ``"5/s"``.

        What is left out stays as it is; None takes it away.
        """
        return self._send(calls.secure(endpoint, auth, rate_limit, version))

    def metrics(
        self,
        type: str | None = None,  # noqa: A002 - as the admin API calls it
        endpoint: str | None = None,
    ) -> list[dict[str, Any]]:
        """What the gateway's process has counted, as rows of ``type``, ``name`` and ``labels``."""
        return self._send(calls.metrics(type, endpoint))

    def models(self) -> dict[str, Any]:
        """The models of the bundle by their names, credentials masked."""
        return self._send(calls.models())

    def ready(self) -> dict[str, Any]:
        """How the gateway is; raises ServerError where it cannot serve."""
        return self._send(calls.ready())

    def log_level(self, level: str | Unsaid | None = UNSAID) -> dict[str, Any]:
        """The level of the gateway's log lines: asked, changed, or by None as declared again."""
        return self._send(calls.log_level(level))

    def requests(
        self,
        *,
        route: str | None = None,
        model: str | None = None,
        status: int | None = None,
        outcome: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Requests:
        """Recorded requests, newest first; with the ``cursor`` of a page what is new since.

        ``model`` is the chosen one, ``outcome`` is ``served``, ``refused`` or ``failed``; times
        are seconds since the epoch. Without ``since`` a day is looked through.
        """
        filters = {
            "route": route,
            "model": model,
            "status": status,
            "outcome": outcome,
            "since": since,
            "until": until,
            "limit": limit,
        }
        return self._send(calls.requests(filters, cursor))

    def explain(self, id: str) -> dict[str, Any]:  # noqa: A002 - what it is
        """One recorded request: its ``request``, ``scores``, ``feedback``, and ``derived``."""
        return self._send(calls.explain(id))

    def ask(self, inputs: str, *, model: str | None = None) -> Answer:
        """One question, to the model that routing chooses or to ``model``."""
        return self._send(calls.ask(inputs, model))

    def _send(self, call: Call[Value]) -> Value:
        tries = 0
        while True:
            outcome, tries = self._once(call), tries + 1
            wait = self._retrying.wait(call, outcome, tries)
            if wait is None:
                return self._value(call, outcome)
            self._sleep(wait)

    def _once(self, call: Call[Any]) -> httpx.Response | Exception:
        try:
            return self._client.send(self._request(call))
        except httpx.RequestError as error:
            return error


class Keys:
    """Issued keys."""

    def __init__(self, send: Callable[[Call[Any]], Any]) -> None:
        self._send = send

    def list(self, **filters: str | None) -> list[Key]:
        """All keys, oldest first, that fit ``prefix``, ``owner`` and ``tenant``."""
        found: list[Key] = []
        more = True
        while more:
            page, more = self._send(calls.keys(found[-1].id if found else "", filters))
            found += page
        return found

    def create(self, name: str, **more: Any) -> Key:
        """A new key; its ``text`` is told this once.

        ``more``: ``owner``, ``team``, ``tenant``, ``scopes``, ``routes``, ``models``,
        ``expires_in``, ``expires_at``, ``parent``.
        """
        key: Key = self._send(calls.create_key(name, more))
        return key

    def revoke(self, id: str) -> Key:  # noqa: A002 - what it is
        """The end of a key, and of all that hangs on it."""
        key: Key = self._send(calls.revoke_key(id))
        return key

    def rotate(self, id: str, overlap: str | float | None = None) -> Key:  # noqa: A002 - what it is
        """A key that follows it; both work for ``overlap``: a day if left out, 0 for none."""
        key: Key = self._send(calls.rotate_key(id, overlap))
        return key
