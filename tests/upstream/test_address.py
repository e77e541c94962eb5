"""Link-local addresses are never connected to, and targets only where the operator allows."""

from __future__ import annotations

import ipaddress
import threading
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway import addresses
from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import ProxyRequest, Upstreams, address
from tests.upstream.conftest import CHAT

LINK_LOCAL = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:a9fe:a9fe::1",
]


@pytest.mark.parametrize("text", LINK_LOCAL)
def test_link_local_in_every_form(text: str) -> None:
    """A link-local or metadata address is known in each form that leads to it."""
    assert addresses.forbidden(ipaddress.ip_address(text))
    with pytest.raises(address.AddressRefused, match="link-local"):
        address.permitted("host", [text], None)
    with pytest.raises(address.AddressRefused, match="link-local"):
        address.permitted("host", [text], ("host", "0.0.0.0/0", "::/0"))


@given(st.ip_addresses(v=4))
def test_every_ipv4_is_judged_the_same_when_mapped(ip: ipaddress.IPv4Address) -> None:
    """An address and its IPv6-mapped form are allowed or refused together."""
    mapped = ipaddress.ip_address(f"::ffff:{ip}")
    assert addresses.forbidden(ip) == addresses.forbidden(mapped) == ip.is_link_local


@pytest.mark.parametrize(
    ("host", "found", "allowed", "left"),
    [
        ("db.test", ["10.0.0.1", "169.254.0.1"], None, ["10.0.0.1"]),
        ("db.test", ["10.0.0.1"], ("DB.test",), ["10.0.0.1"]),
        ("db.test", ["10.0.0.1", "10.1.0.1"], ("10.0.0.0/24",), ["10.0.0.1"]),
        ("db.test", ["10.0.0.1"], ("other.test", "10.0.0.1"), ["10.0.0.1"]),
        ("db.test", ["::ffff:10.0.0.1"], ("10.0.0.0/24",), ["::ffff:10.0.0.1"]),
    ],
)
def test_permitted(host: str, found: list[str], allowed: Any, left: list[str]) -> None:
    """A host is allowed by its name, or as far as its addresses lie in an allowed network."""
    assert address.permitted(host, found, allowed) == left


@pytest.mark.parametrize("allowed", [(), ("other.test",), ("11.0.0.0/8",)])
def test_not_permitted(allowed: tuple[str, ...]) -> None:
    """A host that stands nowhere in the list is refused."""
    with pytest.raises(address.AddressRefused, match="allowed_hosts"):
        address.permitted("db.test", ["10.0.0.1"], allowed)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("169.254.169.254", None),
        ("2852039166", None),
        ("0xA9FEA9FE", None),
        ("db.test", ("other.test", "10.0.0.0/8")),
        ("10.0.0.1", ("11.0.0.0/8",)),
    ],
)
def test_names_that_a_forward_proxy_would_resolve(host: str, allowed: Any) -> None:
    """Behind a forward proxy the name itself is checked, in old spellings of addresses too."""
    with pytest.raises(address.AddressRefused):
        address.check_name(host, allowed)


def test_names_that_pass() -> None:
    """A name without a list, and a listed name, pass."""
    address.check_name("db.test", None)
    address.check_name("db.test", ("DB.test",))
    address.check_name("10.0.0.1", ("10.0.0.0/8",))


def test_resolution() -> None:
    """A literal address is not resolved; a name is; none found is an unknown name."""

    def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "known.test" else []

    assert address.resolved(resolve, "127.1", 80, 5) == ["127.0.0.1"]
    assert address.resolved(resolve, "known.test", 80, 5) == ["10.0.0.1"]
    with pytest.raises(address.NameUnknown):
        address.resolved(resolve, "unknown.test", 80, 5)


def test_resolution_that_takes_too_long(over: threading.Event) -> None:
    """A resolution that does not end is left behind."""

    def resolve(host: str, port: int) -> list[str]:
        over.wait(10)
        return []

    with pytest.raises(httpcore.ConnectTimeout):
        address.resolved(resolve, "slow.test", 80, 0.05)


def test_the_machines_own_resolution() -> None:
    """The machine knows localhost."""
    assert set(address.system("localhost", 80)) <= {"127.0.0.1", "::1"}


def test_a_name_is_resolved_once(upstream: Any) -> None:
    """The connection goes to the address that was checked, whatever a second look would give."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    ways = Upstreams(SystemClock(), {}, resolve=lambda _host, _port: next(answers))
    request = ProxyRequest("r", f"http://rebind.test:{upstream.port}", "GET", "/")
    assert ways.relay(request, SystemClock().monotonic() + 5).status == 200
    assert len(list(answers)) == 1
    ways.close()


@pytest.mark.parametrize(
    ("found", "allowed"),
    [(["169.254.169.254"], None), (["127.0.0.1"], ("10.0.0.0/8",)), (["127.0.0.1"], ())],
)
def test_a_refused_target_is_not_connected_to(upstream: Any, found: Any, allowed: Any) -> None:
    """A name that leads where it must not is an error, without a connection."""
    ways = Upstreams(SystemClock(), {}, resolve=lambda _host, _port: found)
    request = ProxyRequest(
        "r", f"http://rebind.test:{upstream.port}", "GET", "/", allowed_hosts=allowed
    )
    with pytest.raises(UpstreamError, match="may not be connected to") as caught:
        ways.relay(request, SystemClock().monotonic() + 5)
    assert caught.value.status == 502
    assert upstream.connections == 0


def test_models_may_not_be_link_local_either() -> None:
    """A model's own name may not lead to a metadata service."""
    ways = Upstreams(SystemClock(), {}, resolve=lambda _host, _port: ["169.254.169.254"])
    with pytest.raises(UpstreamError, match="link-local"):
        ways.send(
            Model(url="http://m.test/v1", model_id="m"), CHAT, {}, SystemClock().monotonic() + 5
        )
