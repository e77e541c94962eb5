"""What the process's environment says about the way out: forward proxies and certificates."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpx

from ai_gateway.errors import UpstreamUnreachable


class Surroundings:
    """Reads ``environment`` (never the process's own) as curl, requests and httpx do."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._contexts: dict[tuple[str | None, float], ssl.SSLContext] = {}
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

    def context(self, ca_file: str | None) -> ssl.SSLContext:
        """What to trust: ``ca_file``, else the environment's, else certifi's and the system's.

        A file that changed is read anew. Raises UpstreamUnreachable, with the path, for one that
        cannot be used.
        """
        path = ca_file or self._first("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")[1]
        with self._lock:
            try:
                key = (path, Path(path).stat().st_mtime if path else 0.0)
                if key not in self._contexts:
                    self._contexts[key] = _load(path)
            except OSError as error:
                reason = error.strerror or "no certificates in it"
                raise UpstreamUnreachable(
                    f"The CA file {path} cannot be used: {reason}.", HTTPStatus.BAD_GATEWAY
                ) from None
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


def _load(path: str | None) -> ssl.SSLContext:
    if path is None:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        return context
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)
