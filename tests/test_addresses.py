"""An address is judged as what it is, in whatever spelling."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway import addresses

INTERNAL = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
METADATA = ["100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"]
INTERNALS = st.sampled_from(INTERNAL).flatmap(lambda net: st.ip_addresses(network=net))


def spellings(ip: ipaddress.IPv4Address) -> list[str]:
    """Every way that the C library, a browser or a translator writes an IPv4 address."""
    number = int(ip)
    a, b, c, d = ip.packed
    return [
        str(ip),
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"::ffff:{ip}",
        f"::{ip}",
        f"64:ff9b::{ip}",
        str(ipaddress.IPv6Address(0x2002 << 112 | number << 80)),
    ]


@given(INTERNALS)
def test_no_spelling_makes_an_internal_address_public(ip: ipaddress.IPv4Address) -> None:
    """Decimal, octal, hex, shortened, mapped, compatible, NAT64 and 6to4: none gets past."""
    for text in spellings(ip):
        found = addresses.literal(text)
        assert found is not None, text
        assert not addresses.public(found), text
        assert addresses.forbidden(found) == (ip.is_link_local or str(ip) in METADATA), text


@given(st.ip_addresses())
def test_what_is_public_is_global(ip: addresses.Address) -> None:
    """Nothing is called public that Python knows to be special, and multicast never."""
    if addresses.public(ip):
        assert ip.is_global
        assert not ip.is_multicast


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_the_internet_is_public(text) -> None:
    """An address of the public internet is, also as a host without IPv4 sees it."""
    assert addresses.public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:808:808::1", "3fff::1"),
        *("::ffff:8.8.8.8", "4000::1", "192.0.0.1", "192.0.2.1", "203.0.113.9", "255.255.255.255"),
    ],
)
def test_the_rest_is_not(text) -> None:
    """Loopback, unique local, documentation, translators and what nobody has assigned."""
    assert not addresses.public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "host", ["example.org", "localhost", "127.0.0.1.", "", "[::1]", "1.2.3.4.5"]
)
def test_a_name_is_no_address(host) -> None:
    """What is looked up is judged by what it is found to be."""
    assert addresses.literal(host) is None


def test_a_host_is_listed_by_name_or_network() -> None:
    """A name is compared whole, an address in whatever spelling."""
    allowed = ("Hooks.internal", "10.1.0.0/16", "::1")
    assert addresses.listed("hooks.INTERNAL", allowed)
    assert addresses.listed("10.1.2.3", allowed)
    assert addresses.listed("167838211", allowed)
    assert addresses.listed("::1", allowed)
    assert not addresses.listed("10.2.0.1", allowed)
    assert not addresses.listed("hooks.internal.example.org", allowed)


@pytest.mark.parametrize("text", METADATA)
def test_where_clouds_tell_a_machine_who_it_is_is_never_allowed(text: str) -> None:
    """Also outside the link-local network, also where the operator lists the network around it."""
    assert addresses.forbidden(ipaddress.ip_address(text))
