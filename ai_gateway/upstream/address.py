"""Which addresses may be connected to.

A name is resolved once, each address is checked, and the connection goes to a checked address: a
second resolution could give another (DNS rebinding). Link-local addresses hold the metadata
services of clouds, so they are refused whoever asks.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence

import httpcore

from ai_gateway.addresses import forbidden, inside, literal, networks, public
from ai_gateway.upstream.cancel import LOOK, NOBODY, Hold

Resolve = Callable[[str, int], Sequence[str]]


class AddressRefused(httpcore.ConnectError):
    """The gateway does not connect to that address; the message says why, without the address."""


class NameUnknown(httpcore.ConnectError):
    """The host's name has no address."""


def system(host: str, port: int) -> Sequence[str]:
    """The addresses of ``host`` as the machine resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolved(
    resolve: Resolve, host: str, port: int, seconds: float, hold: Hold = NOBODY
) -> Sequence[str]:
    """``resolve(host, port)``, given up after ``seconds``.

    Raises NameUnknown, ConnectTimeout, or Unsent where the caller of ``hold`` leaves.
    """
    spelled = literal(host)
    if spelled is not None:
        return [str(spelled)]
    outcome: list[Sequence[str] | Exception] = []

    def work() -> None:
        try:
            outcome.append(resolve(host, port))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    # The resolver of the C library knows no deadline, so it is waited for from outside.
    thread = threading.Thread(target=work, name="resolve", daemon=True)
    thread.start()
    while thread.is_alive() and seconds > 0:
        thread.join(min(seconds, LOOK))
        seconds -= LOOK
        hold.check()
    if not outcome:
        raise httpcore.ConnectTimeout("name resolution")
    found = outcome[0]
    if isinstance(found, Exception) or not found:
        raise NameUnknown("name resolution")
    return found


def permitted(
    host: str,
    addresses: Sequence[str],
    allowed: Sequence[str] | None,
    *,
    internet: bool = False,
) -> list[str]:
    """Those of ``addresses`` that may be connected to; raises AddressRefused if none is left.

    ``allowed`` lists host names and networks; ``None`` allows everything that is not link-local.
    With ``internet`` an address of the public internet need not be listed.
    """
    reachable = [text for text in addresses if not forbidden(ipaddress.ip_address(text))]
    if not reachable:
        raise AddressRefused("its address is link-local, which is never allowed")
    if allowed is None or _named(host, allowed):
        return reachable
    listed = list(networks(allowed))
    found = [text for text in reachable if inside(ipaddress.ip_address(text), listed)]
    if internet:
        found += [text for text in reachable if public(ipaddress.ip_address(text))]
    if not found:
        raise AddressRefused("its host does not stand in allowed_hosts")
    return list(dict.fromkeys(found))


def check_name(host: str, allowed: Sequence[str] | None, *, internet: bool = False) -> None:
    """The check for a host that a forward proxy resolves: by its name, or its literal address.

    What a name stands for is not known here, so that ``internet`` lets no name pass.
    """
    spelled = literal(host)
    if spelled is not None:
        permitted(host, [str(spelled)], allowed, internet=internet)
    elif allowed is not None and not _named(host, allowed):
        raise AddressRefused("its host does not stand in allowed_hosts")


def _named(host: str, allowed: Sequence[str]) -> bool:
    return host.lower() in {name.lower() for name in allowed}
