"""Who is signed in stays so for a while, in his own browser alone, and changes nothing unasked."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.contract import Caller
from ai_gateway.errors import Forbidden
from ai_gateway.portal.cookies import Cookie, secret
from ai_gateway.portal.declared import SignIn
from ai_gateway.portal.sessions import Session, Sessions
from ai_gateway.portal.states import MemoryStore
from tests.access.oidc import Clock
from tests.conftest import KEY
from tests.portal.conftest import JSON, SESSION, browse

ISSUER = "https://login.example"
CALLER = Caller(
    id="jwt:login:alice",
    scheme="session",
    tenant="acme",
    team="search",
    owner="Alice",
    scopes=frozenset({"b", "a"}),
    routes=frozenset(),
)
CHANGES = [
    ("POST", "/portal/keys"),
    ("POST", "/portal/logout"),
    ("DELETE", f"/portal/keys/{'0' * 32}"),
    ("POST", f"/portal/keys/{'0' * 32}/rotate"),
]


def declared(**changed) -> SignIn:
    """A sign-in."""
    given = {"issuer": "login", "client_id": "portal", "session": "8h", "idle": "1h"}
    given["redirect_url"] = "https://gateway.example/portal/callback"
    return SignIn.model_validate(given | changed)


@pytest.fixture
def clock() -> Clock:
    """One that a test moves."""
    return Clock()


@pytest.fixture
def store(clock) -> MemoryStore:
    """Nothing is kept yet."""
    return MemoryStore(clock)


def of(store, clock, issuer=ISSUER, **changed) -> Sessions:
    """Those of a sign-in that is ``changed``."""
    return Sessions(declared(**changed), issuer, store, clock, Random(1))


@pytest.fixture
def sessions(store, clock) -> Sessions:
    """Of eight hours, or one unused."""
    return of(store, clock)


def sent(header: dict[str, str]) -> dict[str, str]:
    """What a browser sends that was told to keep a cookie."""
    return {"cookie": header["set-cookie"].partition(";")[0]}


def test_a_session_is_who_began_it(sessions) -> None:
    """With all that his claims say, and nothing else of him in the cookie."""
    header = sessions.begin(CALLER)
    found = sessions.find(sent(header)).caller
    assert found.scheme == "session"
    assert (found.id, found.tenant, found.team, found.owner) == (
        "jwt:login:alice",
        "acme",
        "search",
        "Alice",
    )
    assert (found.scopes, found.routes, found.models) == (CALLER.scopes, frozenset(), None)
    assert "alice" not in header["set-cookie"].lower()


def test_a_session_ends_unused(sessions, clock) -> None:
    """Use keeps it; an hour without ends it."""
    cookie = sent(sessions.begin(CALLER))
    for _ in range(3):
        clock.time += 3599
        assert sessions.find(cookie)
    clock.time += 3601
    assert sessions.find(cookie) is None


def test_a_session_ends_however_it_is_used(sessions, store, clock) -> None:
    """After eight hours people sign in again."""
    cookie = sent(sessions.begin(CALLER))
    for _ in range(16):
        assert sessions.find(cookie)
        clock.time += 1800
    assert sessions.find(cookie) is None
    assert store.get("session", cookie["cookie"].partition("=")[2], 1) is None


def test_a_bundle_of_another_issuer_knows_no_session(sessions, store, clock) -> None:
    """Who was signed in through one is not through the other."""
    cookie = sent(sessions.begin(CALLER))
    for changed in ({"client_id": "other"}, {"issuer": "other"}):
        assert of(store, clock, **changed).find(cookie) is None
    assert of(store, clock, "https://other.example").find(cookie) is None  # under the same name
    assert of(store, clock, idle="1m").find(cookie)


def test_a_session_shows_no_token(sessions) -> None:
    """Neither in a repr."""
    session = sessions.find(sent(sessions.begin(CALLER)))
    assert session.csrf not in repr(session)
    assert Session.of(session.stored()) == session


@pytest.mark.parametrize(
    "changed",
    [
        {"x-csrf-token": ""},
        {"x-csrf-token": "0" * 64},
        {"x-csrf-token": "\udcff"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://gateway.example"},
        {"origin": "https://gateway.example.evil.example"},
    ],
)
def test_what_another_site_sends_changes_nothing(sessions, changed) -> None:
    """The token, Fetch Metadata and the origin must all be right."""
    cookie = sent(sessions.begin(CALLER))
    right = {"x-csrf-token": sessions.find(cookie).csrf, "sec-fetch-site": "same-origin"}
    right |= cookie | {"origin": "https://gateway.example"}
    assert sessions.caller("POST", right).id == CALLER.id
    assert sessions.caller("GET", cookie | changed).id == CALLER.id
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(Forbidden):
            sessions.caller(method, right | changed)


def test_a_forged_request_is_refused(alice) -> None:
    """By each function that changes something, before anything of it is looked at."""
    token = alice.me().json["csrf"]
    foreign = {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}
    form = {"X-CSRF-Token": token, "Content-Type": "text/plain"}
    for method, path in CHANGES:
        for headers in ({}, {"X-CSRF-Token": token[::-1]}, foreign):
            reply = alice.client.open(path, method=method, json={"name": "a"}, headers=headers)
            assert (reply.status_code, reply.json["error"]["code"]) == (403, "forbidden")
        assert alice.client.open(path, method=method, data="a=b", headers=form).status_code == 415
    assert alice.client.get("/portal/keys").json["data"] == []
    assert alice.me().status_code == 200


def test_a_session_that_was_signed_out_is_over(alice, gateway) -> None:
    """Also for who has a copy of its cookie."""
    thief = browse(gateway)
    thief.client.set_cookie(SESSION, alice.cookie())
    assert thief.me().json["id"] == "jwt:login:alice"
    reply = alice.ask("POST", "/portal/logout")
    assert reply.json == {"signed_in": False}
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert alice.cookie() is None
    assert thief.me().status_code == 401


def test_a_session_cannot_be_planted(browser, gateway) -> None:
    """Signing in makes a new one, whatever cookie was there, and ends the one that was."""
    planted = "0" * 64
    browser.client.set_cookie(SESSION, planted)
    browser.sign_in()
    first = browser.cookie()
    assert first != planted
    browser.sign_in()
    assert browser.cookie() not in (first, planted)
    thief = browse(gateway)
    for value in (first, planted):
        thief.client.set_cookie(SESSION, value)
        assert thief.me().status_code == 401


def by_header(browser, cookies):
    """A request with that header, whatever a browser would make of it."""
    client = browser.client.application.test_client(use_cookies=False)
    return client.get("/portal/me", headers={"Cookie": cookies})


def test_cookies_of_any_size_are_survived(alice) -> None:
    """A header beyond what is looked at is as none; others' cookies beside are passed over."""
    value = alice.cookie()
    for beside, status in (("a=b; ;=; c", 200), (f"a={'b' * 20_000}", 401)):
        assert by_header(alice, f"{beside}; {SESSION}={value}").status_code == status


def test_a_cookie_that_stands_twice_is_none(alice) -> None:
    """Of two nobody knows which is the gateway's own."""
    right = f"{SESSION}={alice.cookie()}"
    assert by_header(alice, right).status_code == 200
    assert by_header(alice, f"{right}; {SESSION}={'0' * 64}").status_code == 401


def test_a_session_opens_the_portal_alone(alice) -> None:
    """It is no credential for models, and beside a key of whatever kind it does not count."""
    chat = {"messages": [{"role": "user", "content": "Hello"}]}
    assert alice.client.post("/v1/chat/completions", json=chat).status_code == 401
    for key, status in (("wrong", 401), (alice.make().json["key"], 401), (KEY, 403)):
        reply = alice.client.get("/portal/me", headers={"X-API-Key": key})
        assert reply.status_code == status


def test_a_key_is_no_person(alice) -> None:
    """An administrator's opens no portal, and the portal's own keys neither."""
    own = alice.make().json["key"]
    for path in ("/portal/me", "/portal/keys", "/portal/use"):
        fresh = alice.client.application.test_client()
        assert fresh.get(path, headers={"X-API-Key": KEY}).status_code == 403
        assert fresh.get(path, headers={"X-API-Key": own}).status_code == 401


def test_a_sign_out_needs_its_session(alice) -> None:
    """Nobody signs others out; who is signed out is told so."""
    token = alice.me().json["csrf"]
    alice.ask("POST", "/portal/logout")
    reply = alice.client.post("/portal/logout", headers={**JSON, "X-CSRF-Token": token})
    assert reply.status_code == 401
    assert "somebody who is signed in at /portal" in reply.json["error"]["message"]


def test_two_people_are_two(alice, gateway, idp) -> None:
    """Each browser has a session of its own, with a token of its own."""
    idp.said |= {"sub": "bob"}
    bob = browse(gateway)
    bob.sign_in()
    assert (alice.me().json["name"], bob.me().json["name"]) == ("alice", "bob")
    headers = {**JSON, "X-CSRF-Token": alice.me().json["csrf"]}
    assert bob.client.post("/portal/keys", json={"name": "a"}, headers=headers).status_code == 403


@given(st.text(max_size=300))
def test_whatever_a_cookie_header_holds(header) -> None:
    """A value of our own form, or none; never an error."""
    found = Cookie("gateway-session", secure=True).read({"cookie": header})
    assert found is None or len(found) == 64


@given(st.randoms(use_true_random=False), st.booleans())
def test_what_is_set_is_read(random, secure) -> None:
    """By its own name alone."""
    cookie, value = Cookie("a", secure=secure), secret(random)
    assert cookie.read(sent(cookie.keep(value, 9))) == value
    assert Cookie("b", secure=secure).read(sent(cookie.keep(value, 9))) is None
    assert cookie.read({"cookie": cookie.drop()["set-cookie"].partition(";")[0]}) is None
