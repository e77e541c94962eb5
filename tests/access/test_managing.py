"""Who makes, sees, rotates and ends which keys."""

from __future__ import annotations

import logging

import pytest

from ai_gateway.access import managing
from ai_gateway.access.asked import NewKey, Search
from ai_gateway.access.issued import DEEPEST
from ai_gateway.contract import ANONYMOUS, Caller
from ai_gateway.errors import BadRequest, Conflict, Forbidden, NotFound, StoreAway
from tests.access.issuing import AWAY, NOW, World


def maker(world: World, **asked) -> Caller:
    """An issued key that may make keys, as a caller."""
    found = world.caller(world.issue(scopes=["keys"], **asked)[1])
    assert found
    return found


@pytest.mark.parametrize(
    "caller",
    [
        ANONYMOUS,
        Caller(id="platform:alice", scheme="platform"),
        Caller(id="jwt:idp:alice", scheme="jwt", scopes=frozenset({"keys"})),
        Caller(id="nobody", scheme="api-key", scopes=frozenset({"keys"})),
    ],
)
def test_nobody_else_manages_keys(caller) -> None:
    """Neither who was given no key nor whose credential is another."""
    with pytest.raises(Forbidden, match="an administrator or a key with 'keys'"):
        World().manager(caller)


def test_a_key_without_the_scope_manages_none() -> None:
    """Whatever route leads there, and whatever the caller claims: what was issued counts."""
    world = World()
    key, _ = world.issue()
    claimed = Caller(id=key.id, scheme="api-key", scopes=frozenset({"keys"}))
    with pytest.raises(Forbidden):
        world.manager(claimed)
    token = Caller(id=world.issue(scopes=["keys"])[0].id, scheme="jwt", scopes=frozenset({"keys"}))
    with pytest.raises(Forbidden):
        world.manager(token)


def test_a_key_sees_itself_and_what_hangs_on_it() -> None:
    """CVE-2026-30886: another's key is as unknown as one that is none."""
    world = World()
    one, other = maker(world), maker(world)
    child, text = world.issue(one, scopes=["keys"])
    grandchild, _ = world.issue(world.caller(text))
    own = world.manager(one)
    assert {key.id for key in own.search(Search())[0]} == {one.id, child.id, grandchild.id}
    assert own.find(grandchild.id) == grandchild
    told = set()
    for wanted in (other.id, "0" * 32, "", "../keys", child.id[:-1]):
        with pytest.raises(NotFound) as caught:
            own.find(wanted)
        told.add(caught.value.message)
    assert told == {"There is no such key."}
    with pytest.raises(NotFound):
        world.manager(world.caller(text)).find(one.id)


def test_a_key_makes_keys_below_itself_or_below_its_own() -> None:
    """Not below another's, nor below none."""
    world = World()
    one, other = maker(world), maker(world)
    child, _ = world.issue(one)
    assert world.issue(one)[0].parent == one.id
    assert world.issue(one, parent=child.id)[0].parent == child.id
    for parent in (other.id, "0" * 32):
        with pytest.raises(BadRequest, match="no such key"):
            world.issue(one, parent=parent)


def test_an_administrator_may_name_a_parent() -> None:
    """Its bounds hold for what he makes as well."""
    world = World()
    parent, _ = world.issue(tenant="acme", routes=["chat"])
    child, _ = world.issue(parent=parent.id)
    assert (child.tenant, child.created_by) == ("acme", "admin")
    assert child.routes == frozenset({"chat"})
    with pytest.raises(Forbidden):
        world.issue(parent=parent.id, tenant="rival")
    world.manager().revoke(parent)
    with pytest.raises(BadRequest, match="does not work any more"):
        world.issue(parent=parent.id)


def test_names_must_be_known() -> None:
    """A restriction to what there is not would be found out by its user alone."""
    for asked in ({"routes": ["chat", "cht"]}, {"models": ["model-z"]}):
        with pytest.raises(BadRequest, match="There is no"):
            World().issue(**asked)


def test_a_rotated_key_is_followed_by_its_equal() -> None:
    """All but the text, the id and the making is the same; the old one says what follows it."""
    world = World()
    key, old = world.issue(
        name="ci", owner="alice", team="research", tenant="acme", routes=["chat"], expires_in="1h"
    )
    world.clock.time += 10
    after, new = world.manager().rotate(key, 60)
    assert old != new
    for name in ("name", "owner", "team", "tenant", "scopes", "routes", "models", "expires_at"):
        assert getattr(after, name) == getattr(key, name)
    before = world.issued.keys[key.id]
    assert (before.replaced_by, before.retire_at) == (after.id, (NOW + 70) * 1_000_000)
    assert world.caller(old)
    assert world.caller(new)
    world.clock.time += 60
    assert world.caller(old) is None
    assert world.caller(new)


def test_what_ended_or_was_followed_is_not_rotated() -> None:
    """There is one that follows it, or nothing to follow."""
    world = World()
    key, _ = world.issue()
    world.manager().rotate(key, 60)
    with pytest.raises(Conflict, match="rotated already"):
        world.manager().rotate(world.issued.keys[key.id], 60)
    expired, _ = world.issue(expires_in="1s")
    revoked, _ = world.issue()
    world.manager().revoke(revoked)
    world.clock.time += 2
    for ended in (expired, world.issued.keys[revoked.id]):
        with pytest.raises(BadRequest, match="does not work any more"):
            world.manager().rotate(ended, 60)


def test_who_holds_on_to_a_rotated_key_makes_nothing_by_it() -> None:
    """In the overlap it works, but it gets its holder no key that would last."""
    world = World()
    caller = maker(world)
    child, _ = world.issue(caller)
    world.manager().rotate(world.issued.keys[caller.id], 60)
    with pytest.raises(Forbidden, match="was rotated"):
        world.issue(caller)
    with pytest.raises(Forbidden, match="was rotated"):
        world.manager(caller).rotate(child, 60)
    world.manager(caller).revoke(child)
    assert world.manager().shown(world.issued.keys[child.id])["status"] == "revoked"


def test_the_follower_manages_what_hung_on_the_first() -> None:
    """Keys are made below a key by whoever holds the newest of its texts."""
    world = World()
    caller = maker(world)
    child, _ = world.issue(caller)
    _, text = world.manager().rotate(world.issued.keys[caller.id], 0)
    follower = world.caller(text)
    assert world.manager(follower).find(child.id) == child
    with pytest.raises(NotFound):  # its forerunner is not below it
        world.manager(follower).find(caller.id)


def test_to_revoke_twice_changes_nothing() -> None:
    """The first time counts, and no second row is written."""
    world = World()
    key, _ = world.issue()
    world.manager().revoke(key)
    first = world.issued.keys[key.id]
    world.clock.time += 5
    assert world.manager().revoke(first) == first
    assert len(world.store.files) == 2


def test_a_child_of_a_revoked_key_is_shown_revoked() -> None:
    """Since when the one that it hangs on is."""
    world = World()
    caller = maker(world)
    child, _ = world.issue(caller)
    world.manager().revoke(world.issued.keys[caller.id])
    shown = world.manager().shown(child)
    assert (shown["status"], shown["revoked_at"]) == ("revoked", "2027-01-15T08:00:00+00:00")


def test_keys_are_found_page_by_page() -> None:
    """By prefix, owner and tenant, oldest first; a percent sign is one."""
    world = World()
    keys = []
    for number in range(5):
        world.clock.time += 1
        keys.append(world.issue(owner=f"o{number % 2}", tenant=f"t{number % 2}")[0])
    manager = world.manager()
    assert manager.search(Search(limit=2)) == (keys[:2], True)
    assert manager.search(Search(limit=3, after=keys[1].id)) == (keys[2:], False)
    assert manager.search(Search(owner="o1")) == ([keys[1], keys[3]], False)
    assert manager.search(Search(tenant="t0"))[0] == keys[::2]
    assert manager.search(Search(prefix=keys[3].prefix))[0] == [keys[3]]
    assert manager.search(Search(prefix="agw_"))[0] == keys
    for pattern in ("%", "agw_%", ".*", "_"):
        assert manager.search(Search(prefix=pattern))[0] == []


def test_keys_are_neither_too_deep_nor_too_many() -> None:
    """A chain and a crowd end somewhere; an administrator's own keys are not counted."""
    world = World()
    caller = root = maker(world)
    for _ in range(DEEPEST):
        found = world.caller(world.issue(caller, scopes=["keys"])[1])
        assert found
        caller = found
    with pytest.raises(BadRequest, match="at most 8"):
        world.issue(caller)
    for _ in range(managing.CHILDREN - 1):
        world.issue(root)
    with pytest.raises(BadRequest, match="At most 1000"):
        world.issue(root)
    assert world.issue(parent=root.id)


def test_every_change_is_in_the_audit_log(caplog) -> None:
    """Who did what to which key, and what was refused; never a text, nor its hash."""
    world = World()
    with caplog.at_level(logging.DEBUG):
        key, text = world.issue(scopes=["keys"])
        after, second = world.manager().rotate(key, 60)
        with pytest.raises(Conflict):
            world.manager().rotate(world.issued.keys[key.id], 60)
        with pytest.raises(Forbidden):
            world.issue(world.caller(second), tenant="rival")
        world.manager().revoke(after)
    told = [
        (row["who"], row["action"], row["object"], row["outcome"]) for row in world.store.audited
    ]
    assert told == [
        ("admin", "key.issue", key.id, "done"),
        ("admin", "key.rotate", key.id, "done"),
        ("admin", "key.rotate", key.id, "conflict"),
        (after.id, "key.issue", "keys", "forbidden"),
        ("admin", "key.revoke", after.id, "done"),
    ]
    assert '"status":"revoked"' in world.store.audited[-1]["after"]
    for secret in (text, second, text.rpartition("_")[2]):
        assert secret not in caplog.text + str(world.store)
    for hashed in (key.digest.hex(), after.digest.hex()):
        assert hashed not in caplog.text + str(world.store.audited)


def test_what_cannot_be_stored_is_in_the_audit_log_too() -> None:
    """As what was tried."""
    world = World()
    key, _ = world.issue()
    world.store.fault = AWAY
    for change in (world.issue, lambda: world.manager().revoke(key)):
        with pytest.raises(StoreAway):
            change()
        assert world.store.audited[-1]["outcome"] == "store_unavailable"


def test_a_key_that_nobody_may_use_can_be_made() -> None:
    """Empty lists are no routes and no models, not all of them."""
    key, text = World().issue(routes=[], models=[])
    assert (key.routes, key.models) == (frozenset(), frozenset())
    assert NewKey.model_validate({"name": "a", "routes": []}).routes == ()
    assert text
