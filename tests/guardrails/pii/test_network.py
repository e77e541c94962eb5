"""Addresses of people and machines."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.guardrails.pii.finder import findings, found, wide


@given(st.emails())
def test_addresses_of_the_standard_are_found(address: str) -> None:
    """Whole, unless they hold signs that hardly any address has."""
    local = address.partition("@")[0]
    if local.strip("'%+.") and set(local) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+'"
    ):
        hits = found(f"Write to <{address}>, now.", "email")
        assert [(kind, text.lstrip("'%+")) for kind, text in hits] == [
            ("email", address.lstrip("'%+"))
        ]


@pytest.mark.parametrize(
    "address",
    [
        "jo@example.com",
        "jo.smith+news@mail.example.co.uk",
        "jörg.müller@bücher.example",
        "иван@пример.рф",
        "o'neil_99@example.museum",
        "jo@xn--bcher-kva.example",
        wide("jo@") + "example.com",
    ],
)
def test_addresses_are_found_as_people_have_them(address: str) -> None:
    """Also with letters of other scripts."""
    for text in (f"mail {address}.", f"mailto:{address}?subject=x", f"我的邮箱是 {address}吗"):
        assert found(text, "email") == [("email", address)]


@pytest.mark.parametrize(
    "text",
    ["jo@example", "@example.com", "jo@", "a..b@example.com", "a.@example.com", "x@-a.com"],
)
def test_what_is_no_address_is_not_found(text: str) -> None:
    """A name on a platform, a decorator, a typing error."""
    assert found(text, "email") == []
    assert found("x" * 65 + "@example.com", "email") == []


def test_credentials_in_a_url_are_found_with_it() -> None:
    """The longer finding wins over the address that its end looks like."""
    url = "postgres://me:s3cret@db.example.com:5432/x"
    assert found(f"use {url}, please") == [("url_credentials", f"{url},")]
    assert found("see https://example.com:8080/a@b") == []


@given(st.ip_addresses(v=4))
def test_v4_addresses_are_found(address: ipaddress.IPv4Address) -> None:
    """Unless they are loopback, or of a range that no machine has."""
    first = int(str(address).partition(".")[0])
    wanted = [] if first in {0, 127} or first > 239 else [("ip", str(address))]
    assert found(f"from {address}.", "ip") == wanted


@given(st.ip_addresses(v=6))
def test_v6_addresses_are_found(address: ipaddress.IPv6Address) -> None:
    """Long and short; one with dots at its end, as Python 3.13 writes some, counts as IPv4."""
    for written in (str(address), address.exploded):
        if "." in written:
            continue
        short = max(map(len, written.split(":"))) < 3
        plain = not any(sign.isdigit() for sign in written)
        if not (address.is_loopback or address.is_unspecified or short or plain):
            assert found(f"from {written}, port 1", "ip") == [("ip", written)]


@pytest.mark.parametrize(
    "text",
    ["1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "127.0.0.1", "::1", "std::f00", "a::b",
     "x[1::2]", "4.3.2.1.in-addr.arpa", "12:30:45", "1:2:3:4:5:6:7:8:9", "1000:2:3:4:5::6:7:8:9"],
)  # fmt: skip
def test_what_is_no_ip_address_is_not_found(text: str) -> None:
    """Versions, times, names in programs, nobody's address."""
    assert found(f"1 {text} 2", "ip") == []


@pytest.mark.parametrize("mac", ["00:1B:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7"])
def test_mac_addresses_are_found(mac: str) -> None:
    """In their three notations."""
    assert found(f"00:00 {mac}.", "mac") == [("mac", mac)]


@pytest.mark.parametrize(
    "text", ["ff:ff:ff:ff:ff:ff", "00:1B:44:11:3a:b7:00", "00:1B-44:11:3a:b7", "dead.beef.cafe"]
)
def test_what_is_no_mac_address_is_not_found(text: str) -> None:
    """Broadcast, fingerprints, words."""
    assert found(f"00:00 {text}.", "mac") == []


def test_a_score_tells_how_sure_an_address_is() -> None:
    """A short group of colons may be code."""
    assert [f.score for f in findings("jo@example.com 10.1.2.3 1::2", "email", "ip")] == [
        1.0,
        0.9,
        0.4,
    ]
