"""No child exceeds its parent, whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.access.asked import NewKey
from ai_gateway.access.keys import Key
from ai_gateway.access.rights import Grant, granted
from ai_gateway.errors import BadRequest, Forbidden, GatewayError
from tests.access.issuing import NOW, World
from tests.access.test_keys import KEY

AT = NOW * 1_000_000
PARENT = replace(
    KEY,
    scopes=frozenset({"keys", "read"}),
    routes=frozenset({"chat"}),
    models=frozenset({"model-a"}),
    expires_at=AT + 3_600_000_000,
)


def ask(parent: Key | None = PARENT, **asked: Any) -> Grant:
    """What is granted."""
    return granted(NewKey.model_validate({"name": "child", **asked}), parent, AT)


def within(child: Grant | Key, parent: Key) -> bool:
    """Whether ``child`` is no more than ``parent`` in any way."""

    def names(mine, its):
        return its is None or (mine is not None and mine <= its)

    ends = float("inf") if child.expires_at is None else child.expires_at
    return (
        (child.tenant, child.team) == (parent.tenant, parent.team)
        and child.scopes <= parent.scopes
        and names(child.routes, parent.routes)
        and names(child.models, parent.models)
        and ends <= parent.until
    )


NAMES = st.none() | st.lists(st.sampled_from(["chat", "keys", "model-a", "read", "*"]), max_size=3)
FIELDS = {
    "owner": st.sampled_from(["alice", "mallory"]) | st.none(),
    "team": st.sampled_from(["research", "sales"]) | st.none(),
    "tenant": st.sampled_from(["acme", "default", "rival"]) | st.none(),
    "scopes": NAMES,
    "routes": NAMES,
    "models": NAMES,
    "expires_in": st.sampled_from(["1s", "30m", "1h", "2h", "100d", 0, -1, None]),
    "expires_at": st.sampled_from(["2027-01-15T08:30:00Z", "2400-01-01T00:00:00+14:00", 1, None]),
    "parent": st.none(),
}
#: What other gateways took as it was sent (CVE-2026-47101, CVE-2026-47102), and what is ours.
SMUGGLED = {
    name: st.just(value)
    for name, value in {
        "user_role": "proxy_admin",
        "admin": True,
        "allowed_routes": ["*"],
        "created_by": "admin",
        "family": "0" * 32,
        "id": "0" * 32,
        "digest": "0" * 64,
        "retire_at": None,
    }.items()
}
bodies = st.fixed_dictionaries({"name": st.just("child")}, optional=FIELDS)
smuggling = st.fixed_dictionaries({"name": st.just("child")}, optional=FIELDS | SMUGGLED)
sets = st.none() | st.frozensets(st.sampled_from(["chat", "keys", "model-a", "read"]))
parents = st.builds(
    lambda scopes, routes, models, ends, retires: replace(
        KEY, scopes=scopes, routes=routes, models=models, expires_at=ends, retire_at=retires
    ),
    st.frozensets(st.sampled_from(["keys", "read"])),
    sets,
    sets,
    st.none() | st.just(AT + 3_600_000_000),
    st.none() | st.just(AT + 60_000_000),
)


@settings(max_examples=1_000, deadline=None)
@given(smuggling, parents)
def test_no_child_exceeds_its_parent(body, parent) -> None:
    """Whatever a body says: it is refused, or what comes of it is within the parent."""
    try:
        child = granted(NewKey.model_validate(body), parent, AT)
    except (GatewayError, pydantic.ValidationError):
        return
    assert within(child, parent)
    assert not set(body) & set(SMUGGLED)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), bodies, st.booleans()), max_size=12))
def test_no_descendant_exceeds_what_it_hangs_on(steps) -> None:
    """Keys make keys and follow one another in any order; none has more than any above it."""
    world = World()
    first, text = world.issue(name="root", scopes=["keys", "read"], routes=["chat"], tenant="acme")
    texts = [text]
    for which, body, rotate in steps:
        caller = world.caller(texts[which % len(texts)])
        if caller is None:
            continue
        try:
            manager = world.manager(caller)
            if rotate:
                texts.append(manager.rotate(manager.find(caller.id), 60)[1])
            else:
                texts.append(manager.issue(NewKey.model_validate(body))[1])
        except (GatewayError, pydantic.ValidationError):
            continue
    keys = world.issued.keys
    for key in keys.values():
        above = key
        while above.parent is not None:
            above = keys[above.parent]
            assert within(key, replace(above, retire_at=None))
        assert key.tenant == "acme"
        assert above.family == first.id


def test_what_is_left_out_is_the_parents() -> None:
    """All but scopes, which are handed on by name only."""
    child = ask()
    assert (child.owner, child.team, child.tenant) == ("alice", "research", "acme")
    assert (child.routes, child.models) == (PARENT.routes, PARENT.models)
    assert child.expires_at == PARENT.expires_at
    assert child.scopes == frozenset()


def test_less_than_the_parent_is_granted() -> None:
    """Fewer routes, models and scopes, and an earlier end."""
    child = ask(routes=[], models=["model-a"], scopes=["read"], expires_in="1m", tenant="acme")
    assert (child.routes, child.models) == (frozenset(), frozenset({"model-a"}))
    assert child.scopes == {"read"}
    assert child.expires_at == AT + 60_000_000


@pytest.mark.parametrize(
    "more",
    [
        {"tenant": "rival"},
        {"team": "sales"},
        {"scopes": ["routes"]},
        {"routes": None},
        {"routes": ["chat", "keys"]},
        {"models": None},
        {"models": ["model-b"]},
        {"expires_in": None},
        {"expires_at": None},
        {"expires_in": "61m"},
        {"expires_at": "2100-01-01T00:00:00Z"},
    ],
)
def test_more_than_the_parent_is_refused(more) -> None:
    """It is a 403 that says what is too much; nothing is silently cut down."""
    with pytest.raises(Forbidden, match=next(iter(more)).removesuffix("_in")):
        ask(**more)


def test_one_that_retires_makes_none_that_outlives_it() -> None:
    """A key that another follows ends at the end of the overlap, and so do keys below it."""
    retiring = replace(PARENT, retire_at=AT + 60_000_000)
    assert ask(retiring).expires_at == AT + 60_000_000
    with pytest.raises(Forbidden, match="expires_at"):
        ask(retiring, expires_in="2m")


def test_without_a_parent_it_is_as_asked() -> None:
    """An administrator's key has no scope that was not named, and every route and model."""
    alone = ask(None)
    assert (alone.tenant, alone.team, alone.owner) == ("default", "", "")
    assert (alone.scopes, alone.routes, alone.models) == (frozenset(), None, None)
    assert alone.expires_at is None
    asked = ask(None, team="sales", tenant="rival", routes=["chat"], models=None)
    assert (asked.team, asked.tenant) == ("sales", "rival")
    assert asked.routes == frozenset({"chat"})
    assert asked.models is None


@pytest.mark.parametrize(
    "end", [{"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2400-01-01T00:00:00Z"}]
)
def test_an_end_that_makes_no_sense_is_told(end) -> None:
    """In the past, and beyond any plan."""
    with pytest.raises(BadRequest, match="within 100 years"):
        ask(None, **end)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "two\nlines"},
        {"name": "x" * 201},
        {"name": "a", "tenant": "Not A Name"},
        {"name": "a", "scopes": None},
        {"name": "a", "routes": ["*"]},
        {"name": "a", "routes": ["r"] * 1_001},
        {"name": "a", "routes": "chat"},
        {"name": "a", "expires_in": "1h", "expires_at": "2100-01-01T00:00:00Z"},
        {"name": "a", "expires_in": "9999999d"},
        {"name": "a", "expires_in": "1" * 400 + "d"},
        {"name": "a", "expires_at": "2100-01-01T00:00:00"},
        {"name": "a", "parent": "agw_abcdefgh"},
        {"name": "a", "user_role": "proxy_admin"},
        {"name": "a", "admin": True},
        {"name": "a", "allowed_routes": ["*"]},
    ],
)
def test_a_body_is_closed(body) -> None:
    """No field that is not known, no value that is not of its kind, nothing of any size."""
    with pytest.raises(pydantic.ValidationError):
        NewKey.model_validate(body)
