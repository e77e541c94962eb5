"""Issued keys as credentials: where they are found, and what a wrong one is told."""

from __future__ import annotations

import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.access.identity import Identity
from ai_gateway.errors import Unauthenticated
from ai_gateway.manifest.model import Route
from ai_gateway.settings import Settings
from tests.access.issuing import AWAY, World

ROUTE = Route(path="/chat", auth=("api-key", "platform"))
VARIABLES = {"AI_GATEWAY_API_KEY": "the-administrators-key"}
CAI = {**VARIABLES, "CDSW_DOMAIN": "cai.example", "GATEWAY_TRUST_PLATFORM": "1"}


def identity(world: World, variables: dict[str, str] | None = None) -> Identity:
    """What this process can tell of a caller."""
    settings = Settings.read(environment=VARIABLES if variables is None else variables)
    return Identity.of(settings, loopback=True, keys=world.issued)


def refusal(found: Identity, text: str, header: str = "x-api-key", route: Route = ROUTE) -> str:
    """What a wrong key is told."""
    with pytest.raises(Unauthenticated) as caught:
        found.caller(route, "GET", {header: text, "remote-user": "alice"})
    return caught.value.message


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "authorization"])
def test_an_issued_key_is_found_wherever_it_comes(header) -> None:
    """As the administrator's is, on the platform too, padded or not."""
    world = World()
    key, text = world.issue()
    value = f"Bearer {text} " if header == "authorization" else f" {text}"
    for variables in (VARIABLES, CAI):
        caller = identity(world, variables).caller(ROUTE, "POST", {header: value})
        assert (caller.id, caller.admin, caller.tenant) == (key.id, False, "default")


def test_who_sends_two_is_the_first() -> None:
    """X-API-Key before Authorization; a first that is wrong is refused, whatever the second is."""
    world = World()
    key, text = world.issue()
    both = {"x-api-key": text, "authorization": "Bearer the-administrators-key"}
    assert identity(world).caller(ROUTE, "GET", both).id == key.id
    with pytest.raises(Unauthenticated):
        identity(world).caller(ROUTE, "GET", {"x-api-key": "wrong", "authorization": text})


def test_unknown_expired_and_revoked_are_told_the_same() -> None:
    """Nobody learns from a refusal that there was such a key."""
    world = World()
    expired = world.issue(expires_in="1s")[1]
    revoked, revoked_text = world.issue()
    world.manager().revoke(revoked)
    followed, followed_text = world.issue()
    world.manager().rotate(followed, 0)
    world.clock.time += 2
    found = identity(world)
    texts = (expired, revoked_text, followed_text, "agw_abcdefgh_" + "x" * 43, "unknown", "")
    assert len({refusal(found, text) for text in texts if text}) == 1


def test_on_the_platform_an_ended_key_is_not_the_platforms_own() -> None:
    """As a Bearer it is refused too: it does not make its holder whoever the proxy names."""
    world = World()
    key, text = world.issue()
    found = identity(world, CAI)
    world.manager().revoke(key)
    refusal(found, f"Bearer {text}", "authorization")
    assert found.caller(
        ROUTE, "GET", {"authorization": "Bearer of-the-platform", "remote-user": "alice"}
    )


def test_a_key_does_not_open_what_takes_no_keys() -> None:
    """A route for the platform's users alone refuses it, and an open one sees nobody."""
    text = (world := World()).issue()[1]
    found = identity(world)
    with pytest.raises(Unauthenticated, match="signed in"):
        found.caller(Route(path="/a", auth=("platform",)), "GET", {"x-api-key": text})
    assert found.caller(Route(path="/a", auth=("none",)), "GET", {"x-api-key": text}).id == (
        "anonymous"
    )


@pytest.mark.parametrize("admin", [None, "the-administrators-key"])
def test_where_the_store_is_away_the_administrator_still_comes_in(admin) -> None:
    """Issued keys are refused as wrong ones are."""
    there = World()
    text = there.issue()[1]
    here = World(there.store)
    here.store.fault = AWAY
    here.issued.refresh()
    found = identity(here, {"AI_GATEWAY_API_KEY": admin} if admin else {})
    refusal(found, text)
    if admin:
        assert found.caller(ROUTE, "GET", {"x-api-key": admin}).admin


@given(st.text(max_size=200))
def test_no_text_is_a_key_but_a_key(text) -> None:
    """CVE-2026-42208: whatever stands in the header, it is looked up and nothing else."""
    world = World()
    world.issue()
    refusal(identity(world), text or "x")
    refusal(identity(world), f"Bearer {text}", "authorization")


def test_without_issued_keys_there_are_none() -> None:
    """A process that has no store of them refuses them all."""
    text = World().issue()[1]
    refusal(Identity.of(Settings.read(environment=VARIABLES), loopback=True), text)


def test_a_refusal_takes_as_long_whatever_the_key_is() -> None:
    """No time tells unknown from expired from one that is right but for its last character."""
    world = World()
    expired, text = world.issue(expires_in="1s")[1], world.issue()[1]
    world.clock.time += 2
    found = identity(world)
    kinds = {"unknown": "agw_abcdefgh_" + "x" * 43, "expired": expired, "near": text[:-1] + "!"}
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(300):
        for kind, key in kinds.items():
            began = time.perf_counter()
            for _ in range(10):
                refused(found, key)
            taken[kind].append((time.perf_counter() - began) / 10)
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    assert max(medians.values()) < 1.5 * min(medians.values()), medians


def refused(found: Identity, key: str) -> None:
    """One refusal, without what a test adds to its time."""
    try:
        found.caller(ROUTE, "GET", {"x-api-key": key})
    except Unauthenticated:
        return
    raise AssertionError
