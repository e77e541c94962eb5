"""Each call of the gateway, without the sending: what goes out, and what the reply becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import httpx

from ai_gateway.client.values import Answer, Key, Requests, Route, Security, several

Value = TypeVar("Value")
_PAGE: Final = 1_000


class Unsaid(Enum):
    """What is left out, where None means something."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID


@dataclass(frozen=True, slots=True)
class Call(Generic[Value]):
    """One request, and how its reply is read.

    ``again``: to do it twice does no harm, so that it may be repeated where nobody knows whether
    the first one was done.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Value]
    body: Mapping[str, Any] | None = None
    version: str | None = None
    again: bool = True

    @property
    def headers(self) -> dict[str, str]:
        """Beside the key: changes must say that they are JSON, also without a body."""
        said = {} if self.method == "GET" else {"content-type": "application/json"}
        return said if self.version is None else {**said, "if-match": self.version}


def create_route(
    path: str,
    target: str,
    methods: str | Sequence[str],
    version: str | None,
    more: Mapping[str, Any],
) -> Call[Route]:
    """A path that is proxied to a target."""
    body = {"path": path, "target": target, "methods": several(methods), **more}
    return Call("POST", "/api/v1/routes", _route, body, version, again=False)


def routes() -> Call[list[Route]]:
    """All routes, in the order of the file."""
    return Call("GET", "/api/v1/routes", _routes)


def route(name: str) -> Call[Route]:
    """One route."""
    return Call("GET", f"/api/v1/routes/{quote(name, safe='')}", _route)


def replace_route(
    name: str,
    path: str,
    target: str,
    methods: str | Sequence[str],
    *,
    version: str | None,
    more: Mapping[str, Any],
) -> Call[Route]:
    """A route that is there as it is to be, whole: of that version, or whatever is there."""
    body = {"path": path, "target": target, "methods": several(methods), **more}
    where = f"/api/v1/routes/{quote(name, safe='')}"
    return Call("PUT", where, _route, body, version or "*")


def delete_route(name: str, version: str | None) -> Call[str | None]:
    """A route less: the one of that version, or whatever is there."""
    path = f"/api/v1/routes/{quote(name, safe='')}"
    return Call("DELETE", path, _version, version=version or "*", again=False)


def secure(
    endpoint: str,
    auth: str | Sequence[str] | Unsaid | None,
    rate_limit: int | str | Unsaid | None,
    version: str | None,
) -> Call[Security]:
    """Who may call a path, and how often."""
    given = {"authType": auth, "rateLimit": rate_limit}
    body = {name: value for name, value in given.items() if value is not UNSAID}
    # Quoted whole: a path with dots in it must not lead to another call.
    path = f"/api/v1/security/{quote('/' + endpoint.lstrip('/'), safe='')}"
    return Call("PUT", path, _security, body, version)


def metrics(kind: str | None, endpoint: str | None) -> Call[list[dict[str, Any]]]:
    """What the gateway's process has counted."""
    query = _query(type=kind, endpoint=endpoint)
    return Call("GET", f"/api/v1/metrics{query}", lambda reply: _list(reply.json()["metrics"]))


def models() -> Call[dict[str, Any]]:
    """The models of the bundle by their names."""
    return Call("GET", "/api/v1/models", lambda reply: dict(reply.json()["models"]))


def ready() -> Call[dict[str, Any]]:
    """How the gateway is."""
    return Call("GET", "/readyz", _dict)


def log_level(level: str | Unsaid | None) -> Call[dict[str, Any]]:
    """The level of log lines; asked, changed, or by None as declared again."""
    path = "/api/v1/log-level"
    if level is UNSAID:
        return Call("GET", path, _dict)
    return Call("PUT", path, _dict, {"level": level})


def requests(filters: Mapping[str, str | float | None], cursor: str | None) -> Call[Requests]:
    """A page of recorded requests."""
    said = {name: None if value is None else str(value) for name, value in filters.items()}
    return Call("GET", f"/api/v1/requests{_query(**said, cursor=cursor)}", _requests)


def explain(identity: str) -> Call[dict[str, Any]]:
    """One recorded request."""
    return Call("GET", f"/api/v1/requests/{quote(identity, safe='')}", _dict)


def ask(inputs: str, model: str | None) -> Call[Answer]:
    """One question."""
    body = {"inputs": inputs, **({} if model is None else {"model_name": model})}
    return Call("POST", "/inference", _answer, body)


def keys(after: str, filters: Mapping[str, str | None]) -> Call[tuple[list[Key], bool]]:
    """A page of issued keys, and whether there are more."""
    query = _query(limit=str(_PAGE), after=after or None, **filters)
    return Call("GET", f"/api/v1/keys{query}", _keys)


def create_key(name: str, more: Mapping[str, Any]) -> Call[Key]:
    """A new key."""
    return Call("POST", "/api/v1/keys", _key, {"name": name, **more}, again=False)


def revoke_key(identity: str) -> Call[Key]:
    """The end of a key, and of all that hangs on it."""
    return Call("DELETE", f"/api/v1/keys/{quote(identity, safe='')}", _key)


def rotate_key(identity: str, overlap: str | float | None) -> Call[Key]:
    """A key that follows another one."""
    path = f"/api/v1/keys/{quote(identity, safe='')}/rotate"
    body = {} if overlap is None else {"overlap": overlap}
    return Call("POST", path, _key, body, again=False)


def _query(**given: str | None) -> str:
    said = {name: value for name, value in given.items() if value is not None}
    return f"?{urlencode(said)}" if said else ""


def _version(reply: httpx.Response) -> str | None:
    found: str | None = reply.headers.get("etag")
    return found


def _dict(reply: httpx.Response) -> dict[str, Any]:
    return dict(reply.json())


def _list(value: Any) -> list[dict[str, Any]]:
    return list(value)


def _route(reply: httpx.Response) -> Route:
    return Route.of(reply.json(), _version(reply))


def _routes(reply: httpx.Response) -> list[Route]:
    return [Route.of(entry, _version(reply)) for entry in reply.json()["routes"]]


def _security(reply: httpx.Response) -> Security:
    body = reply.json()
    return Security(body["endpoint"], tuple(body["routes"]), _version(reply))


def _key(reply: httpx.Response) -> Key:
    return Key.of(reply.json())


def _keys(reply: httpx.Response) -> tuple[list[Key], bool]:
    body = reply.json()
    return [Key.of(entry) for entry in body["data"]], body["has_more"]


def _requests(reply: httpx.Response) -> Requests:
    body = reply.json()
    return Requests(tuple(_list(body["data"])), body["cursor"], body["has_more"])


def _answer(reply: httpx.Response) -> Answer:
    body = reply.json()
    decision = reply.headers.get("x-gateway-decision")
    return Answer(body["output"], body["model"], body["request_id"], decision)
