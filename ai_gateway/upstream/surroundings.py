"""What the process's environment says about the way out: forward proxies and certificates."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import httpx

from ai_gateway.errors import UpstreamUnreachable

#: The file of a client's certificate, and that of its key where it is another.
Client = tuple[str, str | None]


class Surroundings:
    """Reads ``environment`` (never the process's own) as curl, requests and httpx do."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._contexts: dict[tuple[object, ...], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def proxy(self, scheme: str, host: str) -> httpx.Proxy | None:
        """The forward proxy for ``host``, by ``HTTP(S)_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

        Raises UpstreamUnreachable where the variable holds no http or https URL.
        """
        variable, url = self._first(f"{scheme}_proxy", "all_proxy")
        if not url or self._bypassed(host):
            return None
        try:
            proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
            if proxy.url.scheme in ("http", "https") and proxy.url.host:
                return proxy
        except (ValueError, httpx.InvalidURL):
            pass
        raise UpstreamUnreachable(
            f"{variable.upper()} holds no proxy's http or https URL.", HTTPStatus.BAD_GATEWAY
        )

    def context(self, ca_file: str | None, client: Client | None = None) -> ssl.SSLContext:
        """What to trust: ``ca_file``, else the environment's, else certifi's and the system's.

        ``client`` is who to be where a server asks. A file that changed is read anew. Raises
        UpstreamUnreachable, with the path, for one that cannot be used.
        """
        path = ca_file or self._first("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")[1]
        with self._lock:
            with _using(f"The CA file {path}", "no certificates in it"):
                key: tuple[object, ...] = (path, _changed(path))
            if client is not None:
                with _using(f"The client certificate {client[0]}", ""):
                    key = (*key, client, *map(_changed, client))
            if key not in self._contexts:
                with _using(f"The CA file {path}", "no certificates in it"):
                    context = _load(path)
                if client is not None:
                    what = f"The client certificate {client[0]}"
                    with _using(what, "it is none, or without its key"):
                        context.load_cert_chain(*client, password=lambda: "")
                self._contexts[key] = context
            return self._contexts[key]

    def _first(self, *names: str) -> tuple[str, str | None]:
        for name in names:
            for spelling in (name, name.upper()):
                if value := self._environment.get(spelling):
                    return spelling, value
        return names[0], None

    def _bypassed(self, host: str) -> bool:
        listed = (self._first("no_proxy")[1] or "").lower().split(",")
        return any(_matches(entry.strip(), host.lower()) for entry in listed)


def _matches(entry: str, host: str) -> bool:
    """Whether ``NO_PROXY``'s ``entry`` (a name, domain, address or network) is for ``host``."""
    if entry == "*":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    name = entry.removeprefix("*").removeprefix(".").rsplit(":", 1)[0]
    return bool(name) and (host == name or host.endswith(f".{name}"))


@contextmanager
def _using(what: str, otherwise: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        named = not isinstance(error, ssl.SSLError) and error.strerror
        raise UpstreamUnreachable(
            f"{what} cannot be used: {named or otherwise}.", HTTPStatus.BAD_GATEWAY
        ) from None


def _changed(path: str | None) -> float:
    return Path(path).stat().st_mtime if path else 0.0


def _load(path: str | None) -> ssl.SSLContext:
    if path is None:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        return context
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)
