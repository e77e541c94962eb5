"""A call may name a route: the rules of both routes hold."""

import pytest

from ai_gateway.access.identity import permits
from ai_gateway.answer.named import BROUGHT, JOINED, both
from ai_gateway.contract import Caller
from ai_gateway.manifest.model import Route

#: What stays as the called route has it: where it is, who may call it, and what it looks like.
KEPT = {
    *("name", "path", "methods", "function", "target", "errors", "auth", "credentials"),
    *("max_body", "callback", "cache", "cors", "rate_limit", "scopes", "slo"),
}


def route(**more) -> Route:
    """A route with these rules."""
    return Route(path="/a", function="functions.ping:handle", **more)


def test_every_key_of_a_route_is_kept_brought_or_joined() -> None:
    """A new key needs a decision what naming a route does with it."""
    assert set(Route.model_fields) == KEPT | {*BROUGHT} | {*JOINED}


@pytest.mark.parametrize(
    ("mine", "its", "joined"),
    [
        (("a", "b"), ("b", "c"), ("a", "b", "c")),
        (None, ("a",), None),
        (("a",), None, None),
        ((), (), ()),
    ],
)
def test_guardrails_are_the_union(mine, its, joined) -> None:
    """No policy of either route is left out; None is every policy of the bundle."""
    assert both(route(guardrails=mine), route(guardrails=its)).guardrails == joined


@pytest.mark.parametrize(
    ("mine", "its", "joined"),
    [("full", "none", "none"), ("hashed", "full", "hashed"), ("none", "hashed", "none")],
)
def test_privacy_is_the_stricter_one(mine, its, joined) -> None:
    """What one of the routes does not record is not recorded."""
    assert both(route(privacy=mine), route(privacy=its)).privacy == joined


@pytest.mark.parametrize(
    ("mine", "its", "joined"),
    [(1, 2, 1), (3, 2, 2), (None, 2, 2), (1, None, 1), (None, None, None)],
)
def test_the_time_is_the_shorter_one(mine, its, joined) -> None:
    """The answer is due when either route says."""
    assert both(route(timeout=mine), route(timeout=its)).timeout == joined


def test_choice_is_the_named_routes() -> None:
    """Candidates and what follows a failure come with the route that is named."""
    named = route(routing={"models": "b"}, fallback={"models": ["c"]}, retries={"attempts": 2})
    found = both(route(name="called", routing={"models": "a"}), named)
    assert (found.name, found.routing.models, found.retries) == ("called", ("b",), named.retries)
    assert found.fallback == named.fallback


@pytest.mark.parametrize(
    ("auth", "caller", "may"),
    [
        (("api-key",), Caller("a", "api-key"), True),
        (("platform",), Caller("a", "api-key"), False),
        (("platform",), Caller("a", "api-key", admin=True), True),
        (("none",), Caller("a", "platform"), True),
        ((), Caller("a", "api-key", admin=True), True),
        ((), Caller("a", "api-key"), False),
    ],
)
def test_who_may_not_call_a_route_may_not_name_it(auth, caller, may) -> None:
    """The caller's credential must be one that the named route takes."""
    assert permits(route(auth=auth), caller) is may
