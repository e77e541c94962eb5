"""What a request makes of the files: each key where it stands, and nothing beside it."""

import pytest

from ai_gateway.control.bodies import NewRoute, Secured
from ai_gateway.control.changes import (
    add_route,
    policy_file,
    policy_yaml,
    remove_policy,
    remove_route,
    routes,
    secure,
)
from ai_gateway.control.files import Files
from ai_gateway.control.splice import Uneditable, plain
from ai_gateway.errors import BadRequest, NotFound

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
