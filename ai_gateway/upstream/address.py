"""Which addresses may be connected to.

A name is resolved once, each address is checked, and the connection goes to a checked address: a
second resolution could give another (DNS rebinding). Link-local addresses hold the metadata
services of clouds, so they are refused whoever asks.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import httpcore

from ai_gateway.upstream.cancel import LOOK, NOBODY, Hold

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

#: The metadata service of AWS over IPv6, which lies outside the link-local network.
_METADATA = ipaddress.ip_address("fd00:ec2::254")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


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

    Raises NameUnknown, ConnectTimeout, or Interrupted where the caller of ``hold`` leaves.
    """
    literal = _literal(host)
    if literal is not None:
        return [str(literal)]
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


def permitted(host: str, addresses: Sequence[str], allowed: Sequence[str] | None) -> list[str]:
    """Those of ``addresses`` that may be connected to; raises AddressRefused if none is left.

    ``allowed`` lists host names and networks; ``None`` allows everything that is not link-local.
    """
    reachable = [text for text in addresses if not forbidden(ipaddress.ip_address(text))]
    if not reachable:
        raise AddressRefused("its address is link-local, which is never allowed")
    if allowed is None or host.lower() in {name.lower() for name in allowed}:
        return reachable
    networks = list(_networks(allowed))
    inside = [text for text in reachable if _inside(ipaddress.ip_address(text), networks)]
    if not inside:
        raise AddressRefused("its host does not stand in allowed_hosts")
    return inside


def check_name(host: str, allowed: Sequence[str] | None) -> None:
    """The check for a host that a forward proxy resolves: by its name, or its literal address."""
    literal = _literal(host)
    if literal is not None:
        permitted(host, [str(literal)], allowed)
    elif allowed is not None and host.lower() not in {name.lower() for name in allowed}:
        raise AddressRefused("its host does not stand in allowed_hosts")


def forbidden(address: Address) -> bool:
    """Whether ``address`` is, or carries inside it, a link-local or metadata address."""
    return any(form.is_link_local or form == _METADATA for form in _forms(address))


def _forms(address: Address) -> Iterator[Address]:
    """``address`` and every IPv4 address that a translator would read out of it."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64 or address in _COMPATIBLE:
            embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (form for form in embedded if form is not None)


def _inside(address: Address, networks: Sequence[Net]) -> bool:
    return any(form in network for form in _forms(address) for network in networks)


def _networks(allowed: Sequence[str]) -> Iterator[Net]:
    for entry in allowed:
        with suppress(ValueError):  # a host name
            yield ipaddress.ip_network(entry, strict=False)


def _literal(host: str) -> Address | None:
    """The address that ``host`` spells, in the old IPv4 spellings too (2852039166, 0xA9FEA9FE)."""
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
