"""What an address is, in whatever spelling: link-local, of the public internet, or in a network.

One module for the checks at start and for each connection, so that both judge alike.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Where clouds tell a machine who it is outside the link-local network: AWS and Google over IPv6,
#: Alibaba, and Azure's host.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16"),
    )
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
#: Networks that are not the public internet: IANA's special-purpose registries (RFC 6890, RFC
#: 8190), multicast, and of IPv6 all but 2000::/3, which alone is assigned.
_SPECIAL: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            *("::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
            *("4000::/2", "8000::/1"),
        ),
    )
)


def literal(host: str) -> Address | None:
    """The address that ``host`` spells, in the old IPv4 spellings too (2852039166, 0xA9FEA9FE)."""
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def forms(address: Address) -> Iterator[Address]:
    """``address`` and every IPv4 address that a translator would read out of it."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64 or address in _COMPATIBLE:
            embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (form for form in embedded if form is not None)


def forbidden(address: Address) -> bool:
    """Whether ``address`` is, or carries inside it, a link-local or metadata address."""
    return any(form.is_link_local or form in _METADATA for form in forms(address))


def public(address: Address) -> bool:
    """Whether ``address`` is of the public internet, whatever is carried inside it.

    Behind NAT64's prefix is an IPv4 address, as hosts without IPv4 see it (RFC 6147): that counts.
    """
    if address in _NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return not any(address in network for network in _SPECIAL)


def inside(address: Address, networks: Iterable[Net]) -> bool:
    """Whether ``address``, or what it carries, lies in one of ``networks``."""
    found = list(networks)
    return any(form in network for form in forms(address) for network in found)


def networks(allowed: Iterable[str]) -> Iterator[Net]:
    """Those of ``allowed`` that are networks or addresses; the others are hosts' names."""
    for entry in allowed:
        with suppress(ValueError):
            yield ipaddress.ip_network(entry, strict=False)


def listed(host: str, allowed: Sequence[str]) -> bool:
    """Whether ``host`` stands in ``allowed``, by name or inside a network."""
    if host.lower() in {name.lower() for name in allowed}:
        return True
    spelled = literal(host)
    return spelled is not None and inside(spelled, networks(allowed))
