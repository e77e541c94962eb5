"""Where the dashboard listens and who may look: the questions that its start answers.

Whoever sees the dashboard reads everybody's questions. So it is for this machine alone, or behind
a login: the one of Cloudera AI's proxy, or Panel's own OAuth. The websocket carries the data, so
its origins are named one by one, never ``*``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from ai_gateway.settings import Settings

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
#: The name of this application's script, by which it is found among the project's applications.
SCRIPT: Final = "dashboard.py"
_PORT: Final = 8081
_NAME: Final = r"[0-9a-z_](?:[0-9a-z_.-]*[0-9a-z_])?"
_ORIGIN: Final = re.compile(rf"({_NAME}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?", re.IGNORECASE)
_OVER: Final = ("stopp", "fail")
_VARIABLE: Final = "GATEWAY_DASHBOARD_ORIGIN"


class NotServed(Exception):
    """Why the dashboard does not start; the message is for the operator."""


def default_port(settings: Settings) -> int:
    """What Cloudera AI sets aside for pages that only show, else for any, else 8081."""
    ports = map(settings.variables.get, ("CDSW_READONLY_PORT", "CDSW_APP_PORT"))
    return int(next((port for port in ports if port), _PORT))


def check_host(host: str, *, login: bool) -> None:
    """Raises NotServed where the network could look without a login."""
    if host not in LOOPBACK and not login:
        raise NotServed(
            f"The dashboard shows what everybody asked, so it listens on {host} only with a login:"
            " set PANEL_OAUTH_PROVIDER and its settings (docs/dashboard.md), or leave out --host."
        )


def may_look(settings: Settings, address: str, host: str, *, login: bool) -> bool:
    """Whether a visitor from this IP address, whose browser asked for this host, may see the page.

    The host matters because another site may point its own name at this machine (DNS rebinding),
    and Tornado lets a page of the host that was asked for open the websocket, whatever the origins.
    Cloudera AI's proxy may name what it likes: no browser runs beside it.
    """
    if login:
        return True
    named = settings.variables.get(_VARIABLE, "").split(",")
    known = {*LOOPBACK, *(_name(each.strip()) for each in named)}
    return ipaddress.ip_address(address).is_loopback and (settings.on_cai or _name(host) in known)


def _name(host: str) -> str | None:
    """The name in ``host`` or ``host:port``."""
    return urlsplit(f"//{host}").hostname


def origins(settings: Settings, host: str, port: int, client: Callable[[], Any]) -> list[str]:
    """The hosts whose pages may open the websocket, each ``host`` or ``host:port``.

    ``client`` gives Cloudera AI's API client, ``cmlapi.default_client()``; it is asked only there.
    Raises NotServed where they cannot be known.
    """
    if named := settings.variables.get(_VARIABLE):
        return [_checked(each.strip()) for each in named.split(",") if each.strip()]
    if settings.on_cai:
        return _applications(settings, client)
    if host not in LOOPBACK:
        raise NotServed(f"Say by which name browsers reach {host}: set {_VARIABLE}=HOST:PORT.")
    return [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"]


def _checked(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        raise NotServed(
            f"{_VARIABLE} takes hosts such as app.example.com or 10.0.0.7:8081, separated by"
            f" commas; {origin!r} is none."
        )
    return origin


def _applications(settings: Settings, client: Callable[[], Any]) -> list[str]:
    """The addresses of this project's applications that run this script.

    Nothing tells a workload which application it is; the others have the same script, project and
    readers, so they may as well.
    """
    variables = settings.variables
    domain, project = variables.get("CDSW_DOMAIN"), variables.get("CDSW_PROJECT_ID")
    try:
        found = client().list_applications(project, page_size=100).applications
    except Exception as error:  # cmlapi is the workbench's own: its errors cannot be named here
        raise NotServed(
            f"The project's applications cannot be listed ({type(error).__name__}):"
            f" set {_VARIABLE} to this application's host."
        ) from error
    hosts = [f"{each.subdomain}.{domain}" for each in found if _ours(each)]
    if not domain or not hosts:
        raise NotServed(
            f"No application of this project runs {SCRIPT}: set {_VARIABLE} to the host in the"
            " browser's address bar."
        )
    return [_checked(host) for host in hosts]


def _ours(application: Any) -> bool:
    over = any(word in str(application.status).lower() for word in _OVER)
    return str(application.script).rpartition("/")[2] == SCRIPT and not over
