"""A caller uses no more than his credential says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ai_gateway.access.allowed import allow, may_ask, may_call
from ai_gateway.access.identity import permits
from ai_gateway.contract import ANONYMOUS, Caller
from ai_gateway.errors import Forbidden
from ai_gateway.jobs import SCHEDULER
from ai_gateway.manifest.model import Route

OPEN = Route(path="/chat", auth=("api-key",))
SCOPED = Route(path="/keys", auth=("api-key", "jwt"), scopes=("keys", "audit"))
KEY = Caller(id="k", scheme="api-key", scopes=frozenset())
ADMIN = Caller(id="admin", scheme="api-key", admin=True)


@pytest.mark.parametrize(
    ("caller", "route", "may"),
    [
        (KEY, OPEN, True),
        (replace(KEY, routes=frozenset({"chat"})), OPEN, True),
        (replace(KEY, routes=frozenset({"cha", "chat-2"})), OPEN, False),
        (replace(KEY, routes=frozenset()), OPEN, False),
        (KEY, SCOPED, False),
        (replace(KEY, scopes=frozenset({"keys"})), SCOPED, False),
        (replace(KEY, scopes=frozenset({"keys", "audit", "more"})), SCOPED, True),
        (replace(KEY, scopes=None), SCOPED, False),
        (Caller(id="jwt:a:b", scheme="jwt"), SCOPED, False),
        (ANONYMOUS, SCOPED, False),
        (Caller(id="platform:alice", scheme="platform"), SCOPED, False),
        (ADMIN, SCOPED, True),
        (replace(ADMIN, routes=frozenset()), OPEN, True),
        (SCHEDULER, SCOPED, True),
    ],
)
def test_a_route_takes_its_callers_alone(caller, route, may) -> None:
    """It is one of theirs, and they were given each scope that it asks for."""
    assert may_call(route, caller) is may
    if may:
        allow(route, caller)
        return
    with pytest.raises(Forbidden, match=route.name):
        allow(route, caller)
    assert not permits(route, caller)


def test_a_model_is_asked_by_its_callers_alone() -> None:
    """None is every model, an empty list is none."""
    assert may_ask("model-a", KEY)
    assert may_ask("model-a", replace(KEY, models=frozenset({"model-a"})))
    assert not may_ask("model-a", replace(KEY, models=frozenset({"model-b"})))
    assert not may_ask("model-a", replace(KEY, models=frozenset()))
