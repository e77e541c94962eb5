"""What a request makes of the files: each key where it stands, and nothing beside it."""

import pytest

from ai_gateway.control.bodies import NewRoute, Secured
from ai_gateway.control.changes import (
    add_route,
    policy_file,
    policy_yaml,
    put_route,
    remove_policy,
    remove_route,
    routes,
    secure,
)
from ai_gateway.control.files import Files
from ai_gateway.control.splice import Uneditable, plain
from ai_gateway.errors import BadRequest, Conflict, NotFound, PreconditionFailed

TWO = """version: 1
routes:
  - {name: read, path: /a, methods: [GET], function: f, auth: api-key}
  - {name: write, path: /a, methods: [POST], function: f}
  - {path: /b, function: f, rateLimit: 5}
security:
  - {endpoint: /a, rateLimit: 10} # of both
"""


def bundle(text, **more):
    """Files of which the manifest is ``text``."""
    return Files({"routes.yaml": text if isinstance(text, bytes) else text.encode(), **more})


def secured(text, path, **body):
    """The manifest after a PUT of ``body``."""
    return secure(bundle(text), path, Secured.model_validate(body)).content.decode()


def test_each_key_is_put_where_it_stands() -> None:
    """On the route that has it, and in ``security`` for the one that has not."""
    new = secured(TWO, "/a", authType=["jwt", "api-key"], rateLimit="1/s")
    assert plain(new) == plain(
        TWO.replace("auth: api-key", "auth: [jwt, api-key]").replace(
            "rateLimit: 10", "rateLimit: 1/s, auth: [jwt, api-key]"
        )
    )
    assert new.endswith("} # of both\n")


def test_a_key_that_its_only_route_has_needs_no_entry() -> None:
    """The limit of /b stands on the route; auth gets an entry of its own."""
    new = secured(TWO, "/b", rateLimit=7)
    assert new == TWO.replace("rateLimit: 5", "rateLimit: 7")
    new = secured(TWO, "/b", authType="none")
    assert new == TWO + "  - endpoint: /b\n    auth: [none]\n"


def test_null_takes_a_key_away_wherever_it_stands() -> None:
    """An entry that says nothing any more goes with it; what is not there stays so."""
    new = secured(TWO, "/a", authType=None, rateLimit=None)
    assert "security" not in plain(new)
    assert "auth" not in plain(new)["routes"][0]
    assert secured(TWO, "/b", authType=None) == TWO


def test_a_route_takes_what_secures_its_path_with_it() -> None:
    """Unless another route has the path."""
    one = remove_route(bundle(TWO), "read").content.decode()
    assert "of both" in one
    both = remove_route(bundle(one), "write").content.decode()
    assert plain(both) == {"version": 1, "routes": plain(TWO)["routes"][2:]}
    other = TWO.replace("endpoint: /a", "endpoint: /other")
    gone = remove_route(bundle(remove_route(bundle(other), "read").content), "write")
    assert "/other" in gone.content.decode()


PROXIED = """version: 1
routes:
  # ours
  - path: /a # its path
    target: http://a:1
    auth: api-key # who
    timeout: 5s
  - {name: other, path: /b, target: "http://a:2", methods: [GET]} # theirs
security:
  - {endpoint: /a, rateLimit: 10} # a minute
  - {endpoint: /b, auth: jwt}
"""


def replaced(address, /, text=PROXIED, *, known=True, **body):
    """The change that a PUT of ``body`` is, and the manifest after it."""
    change = put_route(bundle(text), address, NewRoute.model_validate(body), known=known)
    return change, change.content.decode()


def test_a_route_is_replaced_where_it_stands() -> None:
    """Keys that differ are changed, those that are not said go, comments and the rest stay."""
    change, new = replaced("a", path="/a", target="http://a:9", auth="api-key", rateLimit=10)
    assert new == PROXIED.replace("http://a:1", "'http://a:9'").replace("    timeout: 5s\n", "")
    assert (change.before["timeout"], change.before["rateLimit"]) == ("5s", 10)
    assert (change.after["target"], change.after["rateLimit"]) == ("http://a:9", 10)


@pytest.mark.parametrize("name", ["a", "other"])
def test_what_is_shown_put_back_changes_nothing(name) -> None:
    """A route as GET tells it, with what ``security`` says of it, is the same bytes again."""
    (shown,) = (entry for entry in routes(plain(PROXIED)) if entry["name"] == name)
    change, new = replaced(name, **shown)
    assert new == PROXIED
    assert change.before == change.after == shown


def test_what_is_put_is_what_is_shown() -> None:
    """Also of what ``security`` says: its entry follows, and goes where nothing is left to say."""
    body = {"path": "/b", "target": "http://a:2", "auth": ["api-key"], "methods": ["GET"]}
    change, new = replaced("other", **body)
    assert change.after == {"name": "other", **body}
    assert new == PROXIED.replace("auth: jwt", "auth: [api-key]")
    both = PROXIED.replace("rateLimit: 10", "auth: api-key")
    _, new = replaced("a", both, path="/a", target="http://a:1", auth="none", timeout="5s")
    assert new == both.replace("api-key", "[none]")
    _, new = replaced("other", path="/b", target="http://a:2", methods="GET")
    assert new == PROXIED.replace("  - {endpoint: /b, auth: jwt}\n", "")


def test_a_route_that_moves_keeps_its_name_and_takes_its_security_with_it() -> None:
    """The address of the route stays its own; what is to be said of it, the body says."""
    change, new = replaced("a", path="/c", target="http://a:1", auth="none")
    assert change.after == {
        "name": "a",
        "path": "/c",
        "target": "http://a:1",
        "methods": ["POST"],
        "auth": ["none"],
    }
    assert plain(new)["security"] == plain(PROXIED)["security"][1:]
    two = PROXIED.replace("path: /b", "path: /a").replace("endpoint: /b, auth: jwt", "endpoint: /z")
    assert "endpoint: /a" in replaced("a", two, path="/c", target="http://a:1")[1]


def test_a_route_can_be_put_anew() -> None:
    """Under the name of its address, which is written where the path does not say it."""
    _, new = replaced("c", known=False, path="/c", target="http://a:1")
    assert new.replace("  - path: /c\n    target: http://a:1\n", "") == PROXIED
    change, new = replaced("mine", known=False, path="/c", target="http://a:1")
    assert "  - name: mine\n    path: /c\n" in new
    assert (change.before, change.after["name"]) == (None, "mine")


def test_a_route_that_cannot_be_put_is_refused() -> None:
    """None to replace, another's name, a host that is not allowed, what no body can say."""
    body = {"path": "/a", "target": "http://a:1"}
    with pytest.raises(PreconditionFailed, match="no route 'c'"):
        replaced("c", **body)
    with pytest.raises(BadRequest, match="'a' by its address"):
        replaced("a", name="b", **body)
    with pytest.raises(BadRequest, match="allowed_hosts"):
        replaced("a", path="/a", target="http://b")
    own = PROXIED.replace("timeout: 5s", "credentials: {token: t}\n    cache: {}")
    with pytest.raises(Conflict, match="has cache, credentials, which only"):
        replaced("a", own, **body)


def test_routes_are_shown_with_what_secures_them() -> None:
    """A route's own word counts before the entry's."""
    read, write, other = routes(plain(TWO))
    assert (read["auth"], read["rateLimit"]) == ("api-key", 10)
    assert "auth" not in write
    assert (other["name"], other["methods"], other["rateLimit"]) == ("b", ["POST"], 5)


@pytest.mark.parametrize(
    "text",
    [b"\xff", "routes: 1\n", "routes: [1]\n", "[]\n", ""],
)
def test_what_is_no_manifest_is_not_edited(text) -> None:
    """Whatever it is, it is said, and no exception of another kind."""
    with pytest.raises(Uneditable):
        secure(bundle(text), "/a", Secured(rateLimit=1))
    with pytest.raises(Uneditable):
        add_route(bundle(text), NewRoute(path="/a", target="http://a"))


def test_what_is_not_there_is_said() -> None:
    """Routes, endpoints, policies."""
    with pytest.raises(NotFound):
        remove_route(bundle(TWO), "nobody")
    with pytest.raises(NotFound):
        secure(bundle(TWO), "/c", Secured(rateLimit=1))
    with pytest.raises(NotFound):
        remove_policy(bundle(TWO), "nobody")
    with pytest.raises(BadRequest):
        secure(bundle(TWO), "/a", Secured())


def test_a_policy_keeps_the_ending_of_its_file() -> None:
    """A second file for the same name would be a second policy."""
    files = bundle(TWO, **{"policies/p.yml": b"a: 1\n"})
    assert policy_file(files, "p") == "policies/p.yml"
    assert policy_file(files, "q") == "policies/q.yaml"
    assert policy_yaml({"a": 1, "b": ["x"]}) == "a: 1\nb: [x]\n"
