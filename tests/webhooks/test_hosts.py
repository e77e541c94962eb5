"""Events go to the public internet by https, and elsewhere only where the operator says so."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given, settings

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Manifest
from ai_gateway.upstream import Notice, Upstreams, address
from ai_gateway.webhooks.receivers import allowed
from tests.test_addresses import INTERNALS, spellings

HEADERS = {"content-type": "application/json"}


def refused(upstreams: Upstreams, url: str, allowed=()) -> str:
    """What is said of an attempt that must not get anywhere."""
    notice = Notice("(bundle)", url, HEADERS, b"{}", timeout=2.0, allowed_hosts=tuple(allowed))
    with pytest.raises(UpstreamError) as found:
        upstreams.notify(notice)
    return found.value.message


def notified(url: str, allowed=(), resolve=address.system, environment=None) -> str:
    """The same, of an attempt in surroundings of its own."""
    upstreams = Upstreams(SystemClock(), environment or {}, resolve=resolve)
    try:
        return refused(upstreams, url, allowed)
    finally:
        upstreams.close()


def test_no_spelling_of_an_internal_address_is_connected_to() -> None:
    """Whether it stands in the address of the callback or comes out of a name."""
    answer: list[str] = []
    upstreams = Upstreams(SystemClock(), {}, resolve=lambda *_: answer)

    @settings(deadline=None)
    @given(INTERNALS)
    def check(ip: ipaddress.IPv4Address) -> None:
        for text in spellings(ip):
            said = refused(upstreams, f"https://[{text}]/" if ":" in text else f"https://{text}/")
            # Octal numbers that are not decimal ones are no host at all to the URL's own parser.
            assert "may not be connected to" in said or "no http or https address" in said
        for text in (str(ip), f"::ffff:{ip}", f"64:ff9b::{ip}"):
            answer[:] = [text]
            assert "may not be connected to" in refused(upstreams, "https://hooks.example.org/")

    check()
    upstreams.close()


@pytest.mark.parametrize(
    "host", ["hooks.example.org", "hooks.example.org.", "bücher.example", "xn--bcher-kva.example"]
)
def test_a_name_is_judged_by_what_it_is_found_to_be(host) -> None:
    """A dot at its end, or letters of other scripts, change nothing."""
    said = notified(f"https://{host}/", resolve=lambda *_: ["127.0.0.1"])
    assert said.endswith("its host does not stand in allowed_hosts.")


def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(hooks, caplog) -> None:
    """DNS rebinding: an attempt resolves once, and connects to what was checked."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]  # what is listed, then what is inside
    with socket.socket() as listed, socket.socket() as inside:
        listed.bind(("127.0.0.1", 0))
        port = listed.getsockname()[1]
        inside.bind(("127.0.0.2", port))
        for each in (listed, inside):
            each.listen()
            each.setblocking(False)  # noqa: FBT003 - positional only
        made = hooks(resolve=lambda *_: answers.pop(0))
        callback = {"url": f"https://rebound.example:{port}/", "timeout": "200ms"}
        made.adopt(allowed_hosts=["127.0.0.1"], callback=callback)
        made.tell(1)
        made.run()
        made.clock.time += 2
        made.run()
        listed.accept()[0].close()
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert answers == []
    assert "may not be connected to" in caplog.messages[-1]


def test_of_several_addresses_only_the_allowed_are_tried(hooks, receiver) -> None:
    """A name with an internal address among public ones does not lead inside."""
    found = address.permitted(
        "mixed.example", ["10.0.0.1", "8.8.8.8", "169.254.1.1"], ("192.168.0.0/16",), internet=True
    )
    assert found == ["8.8.8.8"]


def test_a_listed_name_may_be_internal_and_plain_http(hooks, receiver) -> None:
    """What the operator lists is told, wherever it is but link-local."""
    made = hooks(resolve=lambda *_: ["127.0.0.1"])
    made.adopt(allowed_hosts=["hooks.test"], callback=f"http://hooks.test:{receiver.port}/")
    made.tell(1)
    made.run()
    assert receiver.received[0].headers["host"] == f"hooks.test:{receiver.port}"


def test_the_short_form_lists_the_name_that_it_has(hooks, receiver) -> None:
    """Without allowed_hosts a name without a dot is one of the operator's own network."""
    made = hooks(resolve=lambda *_: ["127.0.0.1"])
    made.adopt(allowed_hosts=None, callback=f"http://external-service:{receiver.port}/webhook")
    made.tell(1)
    made.run()
    assert receiver.received[0].path == "/webhook"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://localhost/", "http://2130706433/", "http://[::1"]
)
def test_the_short_form_lists_no_address(url) -> None:
    """Neither an address without a dot nor the machine itself comes in by it."""
    assert allowed(Manifest.model_validate({"callback": url})) == ()


def test_link_local_is_never_told() -> None:
    """The metadata services of clouds are refused, listed or not."""
    for host in ("169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "2852039166"):
        said = notified(f"http://{host}/", ["0.0.0.0/0", "::/0"])
        assert "link-local" in said


def test_plain_http_is_for_listed_hosts() -> None:
    """Whoever is on the way could read and hold back the events."""
    said = notified("http://hooks.example.org/")
    assert said == (
        "The receiver of (bundle) is told by https only: its host does not stand in allowed_hosts."
    )
    assert "https only" in notified("http://10.0.0.1/", ["10.1.0.0/16"])


def test_behind_a_forward_proxy_a_name_must_be_listed() -> None:
    """The proxy resolves it, so that its address cannot be checked here."""
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    assert "allowed_hosts" in notified("https://hooks.example.org/", environment=proxy)
    assert "allowed_hosts" in notified("https://10.0.0.1/", environment=proxy)
    said = notified("https://hooks.example.org/", ["hooks.example.org"], environment=proxy)
    assert "allowed_hosts" not in said  # it got as far as the proxy, which is not there


@pytest.mark.parametrize("url", ["https://user:secret@hooks.example.org/", "ftp://h/", "https://"])
def test_no_such_address(url) -> None:
    """A user in it, another scheme and no host are refused, and not repeated."""
    assert "secret" not in notified(url)
