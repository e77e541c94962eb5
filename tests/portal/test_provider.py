"""An issuer that is slow, or away for a while, holds no more of the gateway than a few threads."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Thread

import pytest

from ai_gateway.errors import IssuerUnavailable
from ai_gateway.portal.provider import Endpoints, Provider, Refused
from tests.access.oidc import CONFIGURATION, Clock
from tests.portal.test_sessions import declared


@pytest.fixture
def clock() -> Clock:
    """One that a test moves."""
    return Clock()


@pytest.fixture
def provider(idp, clock):
    """The way to a real provider."""
    found = Provider(declared(client_id="portal"), idp.issuer(), clock, {})
    yield found
    found.close()


def test_what_is_known_is_asked_for_again(provider, idp, clock) -> None:
    """After the issuer's ``ttl``; one that is away then is gone by as it was."""
    first = provider.endpoints()
    assert first == Endpoints(f"{idp.url}/authorize", f"{idp.url}/token")
    assert provider.endpoints() == first
    assert idp.requests == [CONFIGURATION]
    clock.time += 601
    idp.answers[CONFIGURATION] = (500, b"")
    assert provider.endpoints() == first
    assert idp.requests == [CONFIGURATION] * 2
    clock.time += 11
    del idp.answers[CONFIGURATION]
    idp.configuration = {"token_endpoint": f"{idp.url}/tokens"}
    assert provider.endpoints().token == f"{idp.url}/tokens"


def test_while_one_looks_others_go_by_what_is_known(provider, clock) -> None:
    """Nobody waits for a configuration that is merely old."""
    first = provider.endpoints()
    clock.time += 601
    with provider._lock:
        assert provider.endpoints() == first


def test_who_waited_while_another_looked_does_not_look_again(provider, idp) -> None:
    """Two who come at once ask once."""
    threads = [Thread(target=provider.endpoints) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert idp.requests == [CONFIGURATION]


def test_a_code_that_is_unknown_is_refused(provider) -> None:
    """By the provider."""
    with pytest.raises(Refused):
        provider.exchange("unknown", "a" * 64)


def test_an_issuer_that_hangs_holds_a_few_threads(provider, idp) -> None:
    """Whoever comes beyond sixteen is told at once to try again."""
    provider.endpoints()
    idp.free.clear()

    def ask() -> None:
        with suppress(Refused):
            provider.exchange("unknown", "a" * 64)

    threads = [Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 10
    while idp.requests.count("/token") < 16 and time.monotonic() < end:
        time.sleep(0.01)
    began = time.monotonic()
    with pytest.raises(IssuerUnavailable):
        provider.exchange("unknown", "a" * 64)
    assert time.monotonic() - began < 1
    idp.free.set()
    for thread in threads:
        thread.join()
    with pytest.raises(Refused):
        provider.exchange("unknown", "a" * 64)
