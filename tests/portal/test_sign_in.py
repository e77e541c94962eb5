"""People sign in by the authorization code flow, and nobody else gets in by it."""

from __future__ import annotations

import base64
import hmac
import logging
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ai_gateway.portal.signing import _challenge
from ai_gateway.service import Service
from tests.access.oidc import CONFIGURATION, ec_signer, part, rsa_signer
from tests.conftest import KEY
from tests.portal.conftest import HOST, SECRET, SESSION, SIGN_IN, browse, parameters

FAILED, EXPIRED = "/portal?problem=failed", "/portal?problem=expired"


def test_somebody_signs_in(browser, idp) -> None:
    """The page, the provider, back to the page; from then on the gateway knows who asks."""
    assert browser.me().status_code == 401
    assert browser.sign_in() == "/portal"
    me = browser.me().json
    assert (me["id"], me["name"], me["tenant"]) == ("jwt:login:alice", "alice", "acme")
    assert [route["path"] for route in me["keys"]["routes"]] == [
        "/v1/chat/completions",
        "/v1/embeddings",
    ]
    assert [idp.requests.count(path) for path in (CONFIGURATION, "/token")] == [2, 1]


def test_what_the_provider_is_asked(browser, idp) -> None:
    """A code, for this client, with a state, a nonce and a challenge that are new each time."""
    replies = [browser.client.get("/portal/login") for _ in range(2)]
    first, second = (parameters(reply.location) for reply in replies)
    assert first["redirect_uri"] == f"{HOST}/portal/callback"
    assert (first["response_type"], first["scope"]) == ("code", "openid")
    for name in ("state", "nonce"):
        assert len(first[name]) == 64
        assert first[name] != second[name]
    assert len(base64.urlsafe_b64decode(first["code_challenge"] + "=")) == 32
    assert first["code_challenge"] != second["code_challenge"]
    assert replies[0].location.startswith(f"{idp.url}/authorize?")


def test_the_cookies_are_closed(browser) -> None:
    """Over https only, of this host only, out of scripts' sight, and not with others' forms."""
    login = browser.client.get("/portal/login").headers["Set-Cookie"]
    rules = "Path=/; HttpOnly; SameSite=Lax; Secure"
    assert re.fullmatch(f"{SIGN_IN}=[0-9a-f]{{64}}; Max-Age=600; {rules}", login)
    session = browser.client.get(browser.leave()).headers["Set-Cookie"]
    assert re.fullmatch(f"{SESSION}=[0-9a-f]{{64}}; Max-Age=28800; {rules}", session)


def test_on_loopback_cookies_work_over_http(begin, shown) -> None:
    """There is no https there, so neither prefix nor Secure."""
    shown["portal"]["oidc"]["redirect_url"] = "http://127.0.0.1:8080/portal/callback"
    cookie = browse(begin(shown)).client.get("/portal/login").headers["Set-Cookie"]
    assert cookie.startswith("gateway-sign-in=")
    assert "Secure" not in cookie


def test_another_state_signs_nobody_in(browser) -> None:
    """An attacker's own code, sent through somebody's browser, is of no use to him."""
    back = browser.leave()
    state = parameters(back)["state"]
    assert browser.client.get(back.replace(state, "0" * 64)).location == EXPIRED
    assert browser.client.get(back).location == EXPIRED  # the sign-in was spent
    assert browser.me().status_code == 401


@pytest.mark.parametrize("query", ["", "?code=a", "?state=&code=a", "?code=a&state=%ff%00"])
def test_a_callback_that_nobody_began_signs_nobody_in(browser, query) -> None:
    """Without the cookie of a sign-in there is none; with one the state must be there."""
    assert browser.client.get(f"/portal/callback{query}").location == EXPIRED
    browser.client.get("/portal/login")
    assert browser.client.get(f"/portal/callback{query}").location == EXPIRED


def test_another_browser_cannot_finish(browser, gateway) -> None:
    """A link with somebody's code signs nobody else in (login CSRF)."""
    back, victim = browser.leave(), browse(gateway)
    assert victim.client.get(back).location == EXPIRED
    victim.client.get("/portal/login")
    assert victim.client.get(back).location == EXPIRED


def test_a_code_is_good_once(browser, idp) -> None:
    """Neither the gateway nor the provider takes it again."""
    back = browser.leave()
    assert browser.client.get(back).location == "/portal"
    assert browser.client.get(back).location == EXPIRED
    again = parameters(browser.leave())
    used = parameters(back)["code"]
    assert used not in idp.codes
    query = f"/portal/callback?code={used}&state={again['state']}"
    assert browser.client.get(query).location == FAILED


@pytest.mark.parametrize(
    "query",
    [
        "&error=access_denied",
        "&error=access_denied&error_description=%3Cscript%3E",
    ],
)
def test_who_is_denied_is_told_so(browser, query) -> None:
    """What the provider says about it goes nowhere."""
    state = parameters(browser.leave())["state"]
    reply = browser.client.get(f"/portal/callback?state={state}{query}")
    assert reply.location == "/portal?problem=denied"


#: What comes along with the right state that is no code.
FORMS = [
    "",
    "&code=",
    f"&code={'a' * 4097}",
    "&code=a&code=b",
    "&code=a" + "&x" * 30,
    "&code=a&iss=https://evil.example",
    "&code=unknown",
]


def test_a_callback_of_another_form_signs_nobody_in(browser) -> None:
    """One code, of a sane length, from the issuer that was asked."""
    for form in FORMS:
        state = parameters(browser.leave())["state"]
        reply = browser.client.get(f"/portal/callback?state={state}{form}")
        assert (form, reply.location) == (form, FAILED)
        assert browser.me().status_code == 401


#: What an ID token says that is not good.
WRONG: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"nonce": ["a"]},
    {"aud": "another-client"},
    {"aud": ["ai-gateway-portal", "another"]},
    {"azp": "another-client"},
    {"aud": ["ai-gateway-portal"], "azp": "another-client"},
    {"iss": "https://evil.example"},
    {"exp": 1},
    {"exp": None},
    {"iat": 9_999_999_999},
    {"sub": None},
    {"tenant": None},
    {"tenant": "../other"},
]


def test_an_id_token_that_is_not_this_sign_ins_signs_nobody_in(browser, idp) -> None:
    """Nonce, audience, authorised party, issuer, times and claims are looked at."""
    right = idp.said
    for wrong in WRONG:
        idp.said = right | wrong
        assert (wrong, browser.sign_in()) == (wrong, FAILED)
        assert browser.cookie() is None
    idp.said = right
    assert browser.sign_in() == "/portal"
    assert counted(browser.gateway) == {
        "nonce": 3,
        "audience": 4,
        "foreign": 1,
        "time": 2,
        "claims": 4,
        "verified": 1,
    }


def counted(gateway) -> dict[str, float]:
    """What the metric says of the issuer's tokens, by outcome."""
    [metric] = gateway.service.metrics.tokens.collect()
    return {
        sample.labels["outcome"]: sample.value
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["issuer"] == "login"
    }


def test_several_audiences_need_this_client_as_the_party(browser, idp) -> None:
    """Then the token says who asked for it (OpenID Connect Core 1.0, 3.1.3.7)."""
    idp.said |= {"aud": ["ai-gateway-portal", "another"], "azp": "ai-gateway-portal"}
    assert browser.sign_in() == "/portal"


def unsigned(claims):
    """A token that nobody signed."""
    return f"{part({'alg': 'none', 'kid': 'rsa-1'})}.{part(claims)}."


def by_the_public_key(claims):
    """A token for which the public key, which everybody has, is taken for the secret."""
    head = f"{part({'alg': 'HS256', 'kid': 'rsa-1'})}.{part(claims)}"
    public = (
        rsa_signer().key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return f"{head}.{part(hmac.digest(public, head.encode(), 'sha256'))}"


@pytest.mark.parametrize("signer", [rsa_signer("other"), ec_signer(), rsa_signer("rsa-1", "PS256")])
def test_another_signature_signs_nobody_in(browser, idp, signer) -> None:
    """A key that the issuer does not publish, or an algorithm that is not declared."""
    idp.signer = signer
    assert browser.sign_in() == FAILED


@pytest.mark.parametrize("forge", [unsigned, by_the_public_key])
def test_neither_a_secret_nor_nothing_signs(browser, idp, forge) -> None:
    """HS256 and none are no signatures here, however right the claims are."""
    idp.forge = forge
    assert browser.sign_in() == FAILED


def test_the_issuers_keys_may_change(browser, idp) -> None:
    """A new key is fetched when a token names it."""
    assert browser.sign_in() == "/portal"
    idp.signers = (rsa_signer("rsa-2"),)
    assert browser.sign_in() == "/portal"


#: What a token endpoint says that is no answer.
ANSWERS = [
    (500, b""),
    (302, b""),
    (401, b'{"error": "invalid_client"}'),
    (200, b"no json"),
    (200, b"[]"),
    (200, b"{}"),
    (200, b'{"id_token": 7}'),
    (200, b'{"id_token": "a.b.c"}'),
    (200, b'{"id_token": "' + b"a" * 300_000 + b'"}'),
]


def test_what_is_no_answer_signs_nobody_in(browser, idp) -> None:
    """Whatever the token endpoint says."""
    for answer in ANSWERS:
        idp.answers["/token"] = answer
        assert browser.sign_in() in (FAILED, "/portal?problem=unavailable")
        assert browser.cookie() is None
    del idp.answers["/token"]
    assert browser.sign_in() == "/portal"


def test_a_wrong_client_is_refused(begin, shown) -> None:
    """The provider wants the client's own secret."""
    assert browse(begin(shown, PORTAL_CLIENT_SECRET="wrong")).sign_in() == FAILED


def test_a_public_client_has_no_secret(begin, shown, idp) -> None:
    """PKCE alone ties the code to who asked for it."""
    idp.client_secret = None
    del shown["portal"]["oidc"]["client_secret"]
    assert browse(begin(shown)).sign_in() == "/portal"


def test_an_issuer_that_is_away_is_no_error_page(begin, shown) -> None:
    """The page says that nobody can sign in now; the issuer is left alone for a while."""
    shown["jwt"][0]["issuer"] = "http://127.0.0.1:1"
    client = browse(begin(shown)).client
    for _ in range(2):
        assert client.get("/portal/login").location == "/portal?problem=unavailable"


def test_an_issuer_that_goes_away_is_no_error_page(browser, idp) -> None:
    """The same where it goes while somebody signs in."""
    back = browser.leave()
    idp.answers["/keys"] = (500, b"")
    assert browser.client.get(back).location == "/portal?problem=unavailable"


@pytest.mark.parametrize(
    "changed",
    [
        {"token_endpoint": "https://evil.example/token"},
        {"authorization_endpoint": "https://evil.example/authorize"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "http://[::1"},
        {"issuer": "https://evil.example"},
    ],
)
def test_a_configuration_names_no_other_host(browser, idp, changed) -> None:
    """What came over the network sends neither browsers nor codes elsewhere."""
    idp.configuration = changed
    assert browser.client.get("/portal/login").location == "/portal?problem=unavailable"


def test_addresses_that_are_declared_are_not_looked_for(begin, shown, idp) -> None:
    """Another host, and a query, are the operator's to name."""
    shown["portal"]["oidc"] |= {
        "authorization_url": f"{idp.url}/authorize?realm=ai",
        "token_url": f"{idp.url}/token",
    }
    shown["jwt"][0]["jwks_url"] = f"{idp.url}/keys"
    browser = browse(begin(shown))
    assert parameters(browser.client.get("/portal/login").location)["realm"] == "ai"
    assert browser.sign_in() == "/portal"
    assert CONFIGURATION not in idp.requests


def test_one_address_may_be_declared(begin, shown, idp) -> None:
    """The other one is looked for."""
    shown["portal"]["oidc"]["token_url"] = f"{idp.url}/token"
    idp.configuration = {"token_endpoint": "https://elsewhere.example/token"}
    assert browse(begin(shown)).sign_in() == "/portal"


def test_the_claims_of_an_id_token_may_be_others(begin, shown, idp) -> None:
    """Where it says what access tokens say elsewhere."""
    shown["portal"]["oidc"]["claims"] = {"tenant": "org.id", "owner": "email", "team": "dept"}
    idp.said = {"org": {"id": "umbrella"}, "email": "alice@umbrella.example", "dept": "search"}
    browser = browse(begin(shown))
    browser.sign_in()
    me = browser.me().json
    assert [me[name] for name in ("tenant", "name", "team")] == [
        "umbrella",
        "alice@umbrella.example",
        "search",
    ]


def test_a_redirection_leads_to_one_of_few_places(browser) -> None:
    """Whatever a request says of where to go, and whatever headers it would add."""
    crafted = "next=//evil.example&redirect_uri=https://evil.example&x=%0d%0aSet-Cookie:a=b"
    reply = browser.client.get(f"/portal/login?{crafted}")
    assert "evil" not in str(reply.headers)
    state = parameters(browser.leave())["state"]
    reply = browser.client.get(f"/portal/callback?state={state}&code=a&{crafted}")
    assert reply.location == FAILED
    assert "evil" not in str(reply.headers)
    assert "a=b" not in str(reply.headers)


def test_nothing_secret_is_told(alice, gateway, idp, caplog) -> None:
    """No code, token, verifier, cookie or secret is in a log, a record, the audit log, a page."""
    caplog.set_level(logging.DEBUG)
    idp.said |= {"nonce": "canary-of-a-nonce"}
    back = alice.leave()
    alice.client.get(back)
    idp.said = {"tenant": "acme"}
    good = alice.leave()
    assert alice.client.get(good).location == "/portal"
    key = alice.make().json["key"]
    alice.client.post("/portal/keys", json={}, headers={"X-CSRF-Token": "canary-of-a-token"})
    seen = caplog.text + str([gateway.rows(table) for table in ("requests", "audit", "keys")])
    seen += alice.client.get("/portal/keys").text + alice.client.get("/portal/use").text
    seen += str(gateway.snapshot.context) + str(gateway.service.portals)
    found = [alice.cookie(), alice.cookie(SIGN_IN), alice.me().json["csrf"], key, SECRET, KEY]
    found += ["canary-of", *idp.given]
    found += [
        value for url in (back, good) for name, value in parameters(url).items() if name != "iss"
    ]
    assert [each for each in found if each in seen] == []
    assert "the ID token is not good: nonce" in caplog.text


def test_who_signs_in_is_in_the_audit_log(alice, gateway) -> None:
    """With who it was, and how he left."""
    alice.ask("POST", "/portal/logout")
    rows = [(row["action"], row["who"], row["scheme"]) for row in gateway.rows("audit")]
    who = ("jwt:login:alice", "session")
    assert rows == [("portal.sign-in", *who), ("portal.sign-out", *who)]


def test_the_challenge_is_the_verifiers_digest() -> None:
    """As RFC 7636, appendix B, works it out."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert _challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_gateway_without_a_portal_loads_nothing_of_it(start) -> None:
    """Its functions' helpers come with a bundle that declares one."""
    service: Service = start().service
    assert service.portals is None
