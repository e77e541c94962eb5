"""People make keys within what the portal and their claims give, and see no others than theirs."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from ai_gateway.contract import Caller, Event
from ai_gateway.errors import Forbidden
from ai_gateway.manifest.model import Route
from ai_gateway.openapi.administration import MadeKey, ShownKey
from ai_gateway.openapi.document import document
from ai_gateway.portal.declared import OPEN, PATHS
from ai_gateway.portal.own import OwnKeys
from ai_gateway.portal.portal import portal, signing
from tests.conftest import KEY
from tests.portal.conftest import browse

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "What is GRPO?"}]}


def chat(browser, key, **more):
    """A question with ``key``."""
    client = browser.client.application.test_client()
    headers = {"Authorization": f"Bearer {key}"}
    return client.post("/v1/chat/completions", json=CHAT | more, headers=headers)


def bob(gateway, idp):
    """Somebody else, signed in."""
    idp.said |= {"sub": "bob"}
    found = browse(gateway)
    found.sign_in()
    return found


def test_a_key_is_made_and_works(alice, gateway) -> None:
    """It is told once, has the person's tenant, and ends by itself."""
    made = alice.make(expires_in="7d")
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = made.json
    assert (key["owner"], key["tenant"], key["name"]) == ("jwt:login:alice", "acme", "laptop")
    assert (key["routes"], key["models"], key["scopes"]) == (["chat", "embeddings"], None, [])
    assert key["expires_at"] is not None
    assert chat(alice, key["key"]).status_code == 200
    assert gateway.rows()[-1]["tenant"] == "acme"
    [listed] = alice.client.get("/portal/keys").json["data"]
    assert listed == {name: value for name, value in key.items() if name != "key"}


def test_the_document_tells_of_the_portal(alice, gateway) -> None:
    """Every route of it, to who may call it; and what is answered is what it says."""
    manifest = gateway.snapshot.bundle.manifest
    told = document(manifest, Caller(id="admin", scheme="api-key", admin=True))
    assert [error.message for error in OpenAPIV31SpecValidator(told).iter_errors()] == []
    operations = {(method.upper(), path) for path, item in told["paths"].items() for method in item}
    assert operations >= set(PATHS.values())
    key = Caller(id="0" * 32, scheme="api-key")
    named = {PATHS[name][1] for name in OPEN}
    assert {path for path in document(manifest, key)["paths"] if "portal" in path} == named
    made = alice.make().json
    after = alice.ask("POST", f"/portal/keys/{made['id']}/rotate").json
    ended = alice.ask("DELETE", f"/portal/keys/{after['id']}").json
    for shape, answer in ((MadeKey, made), (MadeKey, after), (ShownKey, ended)):
        assert set(TypeAdapter(shape).validate_python(answer)) == set(answer)


def test_a_key_that_says_nothing_lives_as_long_as_one_may(alice) -> None:
    """Ninety days, by the portal's declaration."""
    ends = alice.make().json["expires_at"]
    lives = datetime.fromisoformat(ends).timestamp() - time.time()
    assert abs(lives - 90 * 86_400) < 60


#: What is asked for, and what comes of it.
ASKED: list[tuple[dict[str, Any], int]] = [
    ({"routes": ["portal-keys"]}, 403),
    ({"routes": None}, 403),
    ({"routes": ["chat", "portal-keys"]}, 403),
    ({"routes": ["nowhere"]}, 403),
    ({"models": ["judge"]}, 201),
    ({"models": ["unknown"]}, 400),
    ({"scopes": ["keys"]}, 403),
    ({"scopes": ["admin"]}, 403),
    ({"expires_in": "91d"}, 403),
    ({"expires_in": "0s"}, 400),
    ({"expires_in": None}, 403),
    ({"tenant": "other"}, 400),
    ({"owner": "bob"}, 400),
    ({"team": "other"}, 400),
    ({"parent": "0" * 32}, 400),
    ({"expires_at": "2999-01-01T00:00:00Z"}, 400),
    ({"name": ""}, 400),
    ({"name": "a\nb"}, 400),
]


def test_nobody_gets_more_than_is_given(alice) -> None:
    """More than the portal declares is refused, and what only administrators say is unknown."""
    headers = alice.headers
    for wanted, status in ASKED:
        reply = alice.client.post("/portal/keys", json={"name": "a"} | wanted, headers=headers)
        assert (wanted, reply.status_code) == (wanted, status)
    [made] = alice.client.get("/portal/keys").json["data"]
    assert made["models"] == ["judge"]


def bounded(begin, shown, idp):
    """A portal whose people have claims of their own, and keys of models and scopes."""
    claims = {"scopes": "scope", "routes": "routes", "models": "models", "tenant": "tenant"}
    shown["jwt"][0]["claims"] = claims
    shown["portal"]["keys"] |= {"models": ["model-a", "judge"], "scopes": ["reports", "more"]}
    idp.said |= {"scope": "openid reports", "routes": ["chat", "keys"], "models": "model-a model-b"}
    return begin(shown)


def test_nobody_gives_what_he_has_not(begin, shown, idp) -> None:
    """Routes, models and scopes are those that both the portal and his claims give."""
    alice = browse(bounded(begin, shown, idp))
    alice.sign_in()
    most = alice.me().json["keys"]
    assert [route["name"] for route in most["routes"]] == ["chat"]
    assert (most["models"], most["scopes"]) == (["model-a"], ["reports"])
    key = alice.make().json
    assert (key["routes"], key["models"], key["scopes"]) == (["chat"], ["model-a"], [])
    assert alice.make(scopes=["reports"]).json["scopes"] == ["reports"]
    for wanted in ({"scopes": ["more"]}, {"models": ["model-b"]}, {"routes": ["embeddings"]}):
        assert alice.make(**wanted).status_code == 403
    assert chat(alice, key["key"], model="model-b").status_code == 404


def test_anothers_keys_are_unknown(alice, gateway, idp) -> None:
    """They are neither shown, nor ended, nor rotated: as if there were none."""
    made = alice.make().json
    other = bob(gateway, idp)
    assert other.client.get("/portal/keys").json["data"] == []
    nothing = other.ask("DELETE", f"/portal/keys/{'0' * 32}")
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        reply = other.ask(method, f"/portal/keys/{made['id']}{path}")
        assert reply.status_code == 404
        assert reply.json["error"]["message"] == nothing.json["error"]["message"]
    assert chat(alice, made["key"]).status_code == 200


def test_what_an_owner_is_called_gives_nobody_a_key(begin, shown) -> None:
    """A key that an administrator made for Alice's name is not hers to rotate."""
    gateway = begin(shown_with_admin(shown))
    alice = browse(gateway)
    alice.sign_in()
    wanted = {"name": "a", "owner": "jwt:login:alice", "tenant": "acme"}
    headers = {"X-API-Key": KEY}
    made = gateway.client.post("/api/v1/keys", json=wanted, headers=headers).json
    assert alice.client.get("/portal/keys").json["data"] == []
    assert alice.ask("DELETE", f"/portal/keys/{made['id']}").status_code == 404


def shown_with_admin(shown):
    """The bundle with the keys of administrators too."""
    shown["routes"] += [
        {
            "path": "/api/v1/keys",
            "function": "functions.admin.key_issue:handle",
            "auth": "api-key",
            "scopes": "keys",
        },
        {
            "path": "/api/v1/keys/{id}/rotate",
            "function": "functions.admin.key_rotate:handle",
            "auth": "api-key",
            "scopes": "keys",
        },
    ]
    return shown


def test_a_key_stays_his_when_an_administrator_rotates_it(begin, shown) -> None:
    """He sees what follows it, and may end it."""
    gateway = begin(shown_with_admin(shown))
    alice = browse(gateway)
    alice.sign_in()
    made = alice.make().json
    path, headers = f"/api/v1/keys/{made['id']}/rotate", {"X-API-Key": KEY}
    after = gateway.client.post(path, json={"overlap": 0}, headers=headers).json
    assert [key["id"] for key in alice.client.get("/portal/keys").json["data"]] == [
        after["id"],
        made["id"],
    ]
    assert alice.ask("DELETE", f"/portal/keys/{after['id']}").json["status"] == "revoked"
    assert chat(alice, after["key"]).status_code == 401


def test_a_key_is_ended(alice) -> None:
    """At once; to do it again changes nothing, and it stays in the list."""
    made = alice.make().json
    for _ in range(2):
        ended = alice.ask("DELETE", f"/portal/keys/{made['id']}")
        assert (ended.status_code, ended.json["status"]) == (200, "revoked")
    assert chat(alice, made["key"]).status_code == 401
    assert alice.client.get("/portal/keys").json["data"][0]["status"] == "revoked"


def test_a_key_is_followed(alice) -> None:
    """By one with the same rights and the same end; the old one ends with the overlap."""
    made = alice.make(routes=["chat"]).json
    after = alice.ask("POST", f"/portal/keys/{made['id']}/rotate", {"overlap": "1h"}).json
    assert (after["routes"], after["expires_at"]) == (["chat"], made["expires_at"])
    assert [chat(alice, key["key"]).status_code for key in (made, after)] == [200, 200]
    last = alice.ask("POST", f"/portal/keys/{after['id']}/rotate").json
    assert [chat(alice, key["key"]).status_code for key in (after, last)] == [401, 200]
    again = alice.ask("POST", f"/portal/keys/{after['id']}/rotate", {"overlap": "2d"})
    assert again.status_code == 400


def test_nobody_has_more_keys_than_he_may(alice, gateway, idp) -> None:
    """Five; those that ended do not count, and another's neither."""
    made = [alice.make(str(number)).json for number in range(5)]
    refused = alice.make("one more")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "conflict")
    alice.ask("DELETE", f"/portal/keys/{made[0]['id']}")
    assert alice.make("in its place").status_code == 201
    assert bob(gateway, idp).make().status_code == 201


def test_rotation_makes_one_more_at_most(alice) -> None:
    """An overlap after the other is no way to have many."""
    made = [alice.make(str(number)).json for number in range(5)]
    path, hour = "/portal/keys/{}/rotate", {"overlap": "1h"}
    assert alice.ask("POST", path.format(made[0]["id"]), hour).status_code == 201
    assert alice.ask("POST", path.format(made[1]["id"]), hour).status_code == 409
    assert alice.make("one more").status_code == 409


def test_of_many_at_once_no_more_are_made_than_may_be(alice) -> None:
    """Counting and making is one step in a process."""
    headers, barrier, statuses = alice.headers, Barrier(12), []
    headers["Cookie"] = f"__Host-gateway-session={alice.cookie()}"

    def make() -> None:
        client = alice.client.application.test_client(use_cookies=False)
        barrier.wait()
        reply = client.post("/portal/keys", json={"name": "a"}, headers=headers)
        statuses.append(reply.status_code)

    threads = [Thread(target=make) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 5 + [409] * 7


@pytest.mark.parametrize("narrower", ["routes", "models", "scopes", "tenant", "team"])
def test_a_key_that_is_more_than_he_would_get_now_is_not_followed(
    begin, shown, idp, narrower
) -> None:
    """Rights that were taken away do not live on by rotation; ending it is his still."""
    shown["portal"]["oidc"]["claims"] = {
        name: name for name in ("routes", "models", "scopes", "tenant", "team")
    }
    shown["portal"]["keys"]["scopes"] = ["reports"]
    given = {"routes": "chat embeddings", "models": "model-a model-b", "scopes": "reports"}
    idp.said |= given | {"team": "search"}
    alice = browse(begin(shown))
    alice.sign_in()
    made = alice.make(scopes=["reports"]).json
    path = f"/portal/keys/{made['id']}/rotate"
    first = alice.ask("POST", path)
    assert first.status_code == 201
    idp.said |= {narrower: {"tenant": "other", "team": "other"}.get(narrower, "")}
    alice.sign_in()
    last = first.json["id"]
    assert alice.ask("POST", path.replace(made["id"], last)).status_code == 403
    assert alice.ask("DELETE", f"/portal/keys/{last}").json["status"] == "revoked"


def test_a_key_that_would_live_too_long_now_is_not_followed(alice, gateway) -> None:
    """A rotation is no way round a shorter ``longest``; ending it is his still."""
    made = alice.make().json
    bundle = gateway.snapshot.bundle
    keys = bundle.manifest.portal.keys.model_copy(update={"longest": 3600.0})
    portal = bundle.manifest.portal.model_copy(update={"keys": keys})
    manifest = bundle.manifest.model_copy(update={"portal": portal})
    context = replace(gateway.snapshot.context, manifest=manifest)
    person = Caller(id="jwt:login:alice", scheme="session", tenant="acme")
    event = Event("0" * 32, manifest.routes[0], "GET", "/", time.time(), caller=person)
    own = OwnKeys.of(event, context)
    with pytest.raises(Forbidden, match="may more than"):
        own.rotate(own.find(made["id"]), 0)
    assert own.revoke(own.find(made["id"])).revoked_at


def test_every_change_is_in_the_audit_log(alice, gateway) -> None:
    """With who did it, also what was refused; no key's text."""
    alice.make(routes=["portal-keys"])
    made, *_ = [alice.make(str(number)).json for number in range(5)]
    alice.make("one more")
    for _ in range(2):
        alice.ask("POST", f"/portal/keys/{made['id']}/rotate", {"overlap": "1h"})
    alice.ask("DELETE", f"/portal/keys/{made['id']}")
    rows = [row for row in gateway.rows("audit") if row["action"].startswith("key.")]
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("key.issue", "forbidden"),
        *[("key.issue", "done")] * 5,
        ("key.issue", "conflict"),
        ("key.rotate", "done"),
        ("key.rotate", "conflict"),
        ("key.revoke", "done"),
    ]
    assert {row["who"] for row in rows} == {"jwt:login:alice"}


def test_the_platforms_users_have_keys_too(begin, shown) -> None:
    """Who they are the platform says; there is nobody to sign in or out."""
    gateway = begin(on_platform(shown), **CAI)
    client = gateway.client.application.test_client()
    ann = {"REMOTE-USER": "ann", "Content-Type": "application/json"}
    me = client.get("/portal/me", headers=ann).json
    assert (me["id"], me["name"], me["csrf"], me["signs_out"]) == (
        "platform:ann",
        "ann",
        None,
        False,
    )
    made = client.post("/portal/keys", json={"name": "a"}, headers=ann)
    assert made.json["owner"] == "platform:ann"
    forged = ann | {"Sec-Fetch-Site": "same-site"}
    assert client.post("/portal/keys", json={"name": "a"}, headers=forged).status_code == 403
    form = {"REMOTE-USER": "ann", "Content-Type": "text/plain"}
    assert client.post("/portal/keys", data="{}", headers=form).status_code == 403
    ben = {"REMOTE-USER": "ben"}
    assert client.get("/portal/keys", headers=ben).json["data"] == []
    assert client.get("/portal/me").status_code == 401


def test_both_ways_lead_in(begin, shown) -> None:
    """A session comes before the platform's user: he signed in as somebody."""
    for route in shown["routes"]:
        if route["auth"] == "session" and "logout" not in route["path"]:
            route["auth"] = ["session", "platform"]
    alice = browse(begin(shown, **CAI))
    assert alice.client.get("/portal/me", headers={"REMOTE-USER": "ann"}).json["name"] == "ann"
    alice.sign_in()
    assert alice.client.get("/portal/me", headers={"REMOTE-USER": "ann"}).json["name"] == "alice"


CAI = {"CDSW_DOMAIN": "cai.example", "GATEWAY_TRUST_PLATFORM": "1"}


def on_platform(shown):
    """The bundle as the page says that it is on Cloudera AI."""
    del shown["jwt"], shown["portal"]["oidc"]
    signing = ("login", "callback", "logout")
    shown["routes"] = [
        route | ({"auth": "platform"} if route["auth"] == "session" else {})
        for route in shown["routes"]
        if not route["path"].endswith(signing)
    ]
    return shown


def test_without_a_portal_nobody_is_served(start) -> None:
    """Whoever calls its functions all the same is refused, as `check` would have said."""
    none = start().snapshot.context
    for work in (portal, signing):
        with pytest.raises(Forbidden, match="no portal"):
            work(none)
    event = Event("0" * 32, Route(path="/portal/me"), "GET", "/portal/me", 0.0)
    person = Caller(id="platform:ann", scheme="platform")
    with pytest.raises(Forbidden, match="no portal"):
        OwnKeys.of(replace(event, caller=person), none).most  # noqa: B018 - it raises
    with pytest.raises(Forbidden, match="people who sign in"):
        OwnKeys.of(event, none)


def test_where_the_platform_tells_nobody_signs_in(begin, shown) -> None:
    """There is no flow to begin."""
    context = begin(on_platform(shown), **CAI).snapshot.context
    assert portal(context).sessions is None
    with pytest.raises(Forbidden, match="no sign-in of its own"):
        signing(context)
