"""An issuer's keys: found, followed, and never fetched more often or longer than said."""

import logging
import time
from threading import Thread

import pytest

from ai_gateway.access.issuer import Issuer
from ai_gateway.access.jwks import RETRY, KeyRing, discovered
from ai_gateway.access.keyset import MAX_DOCUMENT, Unusable
from ai_gateway.errors import IssuerUnavailable
from ai_gateway.metrics import Metrics
from tests.access.oidc import (
    CONFIGURATION,
    Clock,
    document,
    provider,
    rsa_signer,
)

RSA = rsa_signer()
NEW = rsa_signer("rsa-2")


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def ring(clock):
    """Follows nobody by itself."""
    found = KeyRing(clock, {}, Metrics())
    yield found
    found.close()


@pytest.fixture
def idp():
    """A provider with one key."""
    with provider(RSA) as found:
        yield found


def finds(keys, name="rsa-1"):
    """Whether there is a key of that name."""
    return keys.find(name, "RS256")[1] is not None


def settled(ring, idp, fetches):
    """Waits for a fetch in the background."""
    end = time.monotonic() + 10
    while idp.fetches < fetches or any(keys._running for keys in ring._keys.values()):
        assert time.monotonic() < end
        time.sleep(0.005)


def test_keys_are_found_by_discovery(ring, idp) -> None:
    """The issuer's configuration says where they are; each document is asked for once."""
    keys = ring.of(idp.issuer())
    assert finds(keys)
    assert finds(keys)
    assert idp.requests == [CONFIGURATION, "/keys"]


@pytest.mark.parametrize("path", ["/keys", "/keys/", "/keys?policy=a&b=%20c", "/keys/?a"])
def test_keys_are_found_where_the_operator_says(ring, idp, path) -> None:
    """With jwks_url nothing is discovered, and the address is asked for as it stands."""
    issuer = idp.issuer(issuer="urn:anything", jwks_url=f"{idp.url}{path}")
    assert finds(ring.of(issuer))
    assert idp.requests == [path]


def test_keys_are_found_in_a_file(ring, clock, tmp_path) -> None:
    """Without a network; a file that changed is read again when its time has come."""
    path = tmp_path / "keys.json"
    path.write_bytes(document(RSA))
    keys = ring.of(Issuer(issuer="urn:a", audience="a", jwks_file=str(path)))
    assert finds(keys)
    path.write_bytes(document(NEW))
    assert finds(keys, "rsa-2")
    assert not finds(keys)


def test_a_new_key_takes_force_without_a_restart(ring, idp, clock) -> None:
    """A token that names an unknown key makes the gateway look, at most once a minute."""
    keys = ring.of(idp.issuer())
    assert finds(keys)
    idp.signers = (NEW,)
    clock.time += 1
    assert finds(keys, "rsa-2")
    assert idp.fetches == 2
    idp.signers = (RSA,)
    for second in range(59):
        clock.time += 1
        assert not finds(keys, f"made-up-{second}")
    assert idp.fetches == 2
    clock.time += 1
    assert finds(keys)
    assert idp.fetches == 3


def test_made_up_keys_do_not_amplify(ring, idp) -> None:
    """A thousand unknown names from twenty threads make one call of the issuer."""
    keys = ring.of(idp.issuer())
    assert finds(keys)
    work = [Thread(target=lambda: [finds(keys, str(n)) for n in range(50)]) for _ in range(20)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert idp.fetches == 2


def test_many_who_wait_make_one_call(ring, idp) -> None:
    """At start all requests wait for the same fetch."""
    idp.free.clear()
    keys = ring.of(idp.issuer())
    found = []
    work = [Thread(target=lambda: found.append(finds(keys))) for _ in range(20)]
    for thread in work:
        thread.start()
    assert idp.asked.wait(10)
    idp.free.set()
    for thread in work:
        thread.join()
    assert found == [True] * 20
    assert idp.fetches == 1


def test_keys_are_fetched_anew_in_the_background(ring, idp, clock) -> None:
    """After their time, and not before; nobody waits, and the same keys stay the same object."""
    keys = ring.of(idp.issuer())
    ring.look()
    settled(ring, idp, 1)
    first = keys.current()
    assert finds(keys)
    clock.time += 599
    ring.look()
    assert idp.fetches == 1
    clock.time += 1
    ring.look()
    settled(ring, idp, 2)
    assert keys.current() is first
    idp.signers = (NEW,)
    clock.time += 600
    ring.look()
    settled(ring, idp, 3)
    assert not finds(keys)


def test_an_issuer_that_is_away_leaves_its_keys_until_they_are_too_old(ring, idp, clock) -> None:
    """A day, if the operator says nothing else; then nothing is verified any more."""
    keys = ring.of(idp.issuer())
    assert finds(keys)
    idp.answers[CONFIGURATION] = (500, b"{}")
    for _ in range(144):
        clock.time += 600
        ring.look()
        settled(ring, idp, 1)
        assert finds(keys)
    clock.time += 1
    with pytest.raises(IssuerUnavailable) as error:
        finds(keys)
    assert error.value.headers == {"retry-after": "10"}
    del idp.answers[CONFIGURATION]
    clock.time += RETRY
    assert finds(keys)


def test_an_issuer_that_is_away_is_not_asked_by_every_request(ring, idp, clock) -> None:
    """While there are no keys, it is asked once in ten seconds, and others are refused at once."""
    idp.answers[CONFIGURATION] = (503, b"")
    keys = ring.of(idp.issuer())
    for _ in range(10):
        with pytest.raises(IssuerUnavailable, match="idp cannot be had"):
            finds(keys)
    assert len(idp.requests) == 1
    clock.time += RETRY
    with pytest.raises(IssuerUnavailable):
        finds(keys)
    assert len(idp.requests) == 2


def test_a_slow_issuer_holds_nobody_longer_than_said(ring, idp, clock) -> None:
    """A request waits for its time-out; what comes later is there for the next."""
    idp.free.clear()
    keys = ring.of(idp.issuer(timeout="100ms"))
    began = time.monotonic()
    with pytest.raises(IssuerUnavailable):
        finds(keys)
    assert 0.09 < time.monotonic() - began < 2
    clock.time += 1  # the same fetch goes on, and is waited for no longer
    began = time.monotonic()
    with pytest.raises(IssuerUnavailable):
        finds(keys)
    assert time.monotonic() - began < 0.09
    idp.free.set()
    settled(ring, idp, 1)
    assert finds(keys)
    assert idp.fetches == 1


def test_a_slow_issuer_does_not_stop_a_reload_or_an_end(clock, idp) -> None:
    """Closing ends what is under way."""
    ring = KeyRing(clock, {}, Metrics())
    idp.free.clear()
    ring.of(idp.issuer())
    ring.look()
    assert idp.asked.wait(10)
    began = time.monotonic()
    ring.close()
    assert time.monotonic() - began < 5
    with pytest.raises(IssuerUnavailable):
        finds(ring.of(idp.issuer()))


def test_the_ring_follows_by_itself(clock, idp) -> None:
    """Once started it fetches before anybody asks, and again when the time has come."""
    ring = KeyRing(clock, {}, Metrics(), every=0.01).start()
    try:
        ring.of(idp.issuer())
        settled(ring, idp, 1)
        clock.time += 600
        settled(ring, idp, 2)
    finally:
        ring.close()


def test_keys_outlive_a_reload(ring, idp) -> None:
    """Another audience needs no other keys; an issuer that is gone leaves none behind."""
    keys = ring.of(idp.issuer())
    changed = idp.issuer(audience="other")
    ring.keep((changed,))
    assert ring.of(changed) is keys
    ring.keep(())
    assert ring.of(changed) is not keys


@pytest.mark.parametrize(
    "case",
    [
        (CONFIGURATION, (200, b"<html>login</html>"), "no JSON with one reading"),
        (CONFIGURATION, (200, b"[]"), "no JSON object"),
        (CONFIGURATION, (302, b""), "an answer with the status 302"),
        (CONFIGURATION, (404, b"{}"), "an answer with the status 404"),
        ("/keys", (200, b'{"keys": [], "keys": []}'), "no JSON with one reading"),
        ("/keys", (200, b'{"keys": {}}'), "no key set, which has a list `keys`"),
        ("/keys", (200, b'{"keys": []}'), "no public key for RS256"),
        ("/keys", (200, b" " * (MAX_DOCUMENT + 1)), f"with more than {MAX_DOCUMENT} bytes"),
        ("/keys", (503, document(RSA)), "an answer with the status 503"),
    ],
)
def test_what_is_no_key_set_changes_nothing(ring, idp, clock, caplog, case) -> None:
    """The keys that are known stay; the log says what was wrong, without what was sent."""
    keys = ring.of(idp.issuer())
    assert finds(keys)
    path, answer, says = case
    idp.answers[path] = answer
    idp.headers = {"Location": f"{idp.url}/elsewhere"}
    clock.time += 600
    with caplog.at_level(logging.WARNING):
        ring.look()
        settled(ring, idp, 1)
    assert finds(keys)
    assert says in caplog.text
    assert "login" not in caplog.text
    assert "/elsewhere" not in idp.requests


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": ["/keys"]},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "http://[::1/keys"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_no_document_names_a_host(ring, idp, told) -> None:
    """The configuration is of this issuer, and its keys are on the issuer's own origin."""
    with provider(RSA) as trap:
        for name, wrong in (("one", told), ("two", {"jwks_uri": f"{trap.url}/keys"})):
            idp.configuration = wrong
            with pytest.raises(IssuerUnavailable):
                finds(ring.of(idp.issuer(name=name)))
        assert trap.requests == []
    assert "/keys" not in idp.requests


def test_an_issuer_of_another_host_is_told_how() -> None:
    """Some have their keys elsewhere: the operator names the address himself."""
    body = b'{"issuer": "https://a.example", "jwks_uri": "https://keys.example/a"}'
    with pytest.raises(Unusable, match="name it as jwks_url"):
        discovered("https://a.example", body)


def test_nobody_listens(ring, idp, caplog) -> None:
    """A connection that is refused is told by the issuer's name."""
    issuer = idp.issuer(jwks_url="http://127.0.0.1:1/keys")
    with caplog.at_level(logging.WARNING), pytest.raises(IssuerUnavailable):
        finds(ring.of(issuer))
    assert "the keys of issuer idp cannot be had" in caplog.text


def test_a_link_local_address_is_never_called(ring, idp, caplog) -> None:
    """Whoever named it: that is where clouds keep their credentials."""
    issuer = idp.issuer(jwks_url="http://169.254.169.254/keys")
    with caplog.at_level(logging.WARNING), pytest.raises(IssuerUnavailable):
        finds(ring.of(issuer))
    assert "link-local" in caplog.text
