"""Bearer tokens of an OpenID provider let their callers in, and nobody else."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_gateway.manifest.load import load
from ai_gateway.settings import Settings
from tests.access.oidc import CONFIGURATION, provider, rsa_signer
from tests.conftest import KEY

RSA = rsa_signer()
CAI = {"CDSW_DOMAIN": "cai.example", "GATEWAY_TRUST_PLATFORM": "1"}
ROUTES = """
  - {path: /inference, function: "functions.inference:handle", auth: [api-key, jwt]}
  - {path: /tokens, function: "functions.inference:handle", auth: jwt}
  - {path: /keys, function: "functions.ping:handle", methods: [GET], auth: api-key}
  - {path: /open, function: "functions.ping:handle", methods: [GET], auth: none}
  - {path: /user, function: "functions.ping:handle", methods: [GET], auth: [platform, jwt]}
jwt:
  - issuer: ${ISSUER}
    name: idp
    audience: gateway
    claims: {tenant: tid, models: models}
"""


@pytest.fixture
def idp():
    """A provider with one key."""
    with provider(RSA) as found:
        yield found


@pytest.fixture
def gateway(start, idp):
    """Takes keys and its tokens."""
    return start(ROUTES, ISSUER=idp.url)


def bearer(text):
    """As a client sends it."""
    return {"Authorization": f"Bearer {text}"}


def good(idp, **changed):
    """A token that is good by the machine's own time."""
    now = int(time.time())
    return idp.token(**{"iat": now, "exp": now + 300, "tid": "acme", "models": "model-a"} | changed)


def ask(gateway, headers, path="/inference"):
    """A question."""
    return gateway.client.post(path, json={"inputs": "What is GRPO?"}, headers=headers)


def test_a_token_lets_its_caller_in(gateway, idp) -> None:
    """The record says who asked, and whose data it is."""
    for path in ("/inference", "/tokens"):
        reply = ask(gateway, bearer(good(idp)), path)
        assert (reply.status_code, reply.json["model"]) == (200, "model-a")
    assert ask(gateway, {"Authorization": f"bearer {good(idp)}"}).status_code == 200
    for row in gateway.rows():
        assert (row["key_id"], row["tenant"]) == ("jwt:idp:alice", "acme")
    assert idp.requests == [CONFIGURATION, "/keys"]


def test_keys_work_beside_tokens(gateway, idp) -> None:
    """The administrator's key works everywhere, however it comes; a key header comes first."""
    for headers in (
        {"X-API-Key": KEY},
        bearer(KEY),
        {"api-key": KEY, **bearer(good(idp, exp=1))},
    ):
        for path in ("/inference", "/tokens"):
            assert ask(gateway, headers, path).status_code == 200
    assert ask(gateway, {"X-API-Key": good(idp)}).json["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("path", ["/inference", "/tokens"])
def test_a_wrong_token_is_refused(gateway, idp, path) -> None:
    """One 401 for everything, whose header says which credential was wrong; it is recorded."""
    for text in (
        good(idp, exp=1),
        good(idp, aud="other"),
        good(idp, tid=7),
        "a.b.c",
        "..",
        "e30..",
    ):
        reply = ask(gateway, bearer(text), path)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert reply.json["error"]["code"] == "invalid_token"
        assert "idp" not in reply.text
    rows = gateway.rows()
    assert {(row["status"], row["key_id"]) for row in rows} == {(401, "anonymous")}


@pytest.mark.parametrize("path", ["/keys", "/open", "/user"])
def test_a_wrong_token_is_refused_whatever_else_would_do(gateway, idp, path) -> None:
    """On an open route, and where tokens are not taken at all."""
    reply = gateway.client.get(path, headers=bearer(good(idp, exp=1)))
    assert (reply.status_code, reply.json["error"]["code"]) == (401, "invalid_token")


def test_a_token_is_good_where_tokens_are_taken(gateway, idp) -> None:
    """A route of keys asks for a key; an open route is open."""
    headers = bearer(good(idp))
    codes = {p: gateway.client.get(p, headers=headers).status_code for p in ("/keys", "/open")}
    assert codes == {"/keys": 401, "/open": 200}
    refused = gateway.client.get("/keys", headers=headers)
    assert refused.json["error"]["message"].startswith("This route needs an API key")
    assert "a token of its issuer" in ask(gateway, {}, "/tokens").json["error"]["message"]


def test_what_the_token_may_not_use_it_does_not_get(gateway, idp) -> None:
    """Its models are all that its caller is answered by."""
    headers = bearer(good(idp, models=["model-b"]))
    assert ask(gateway, headers).json["model"] == "model-b"
    reply = gateway.client.post(
        "/inference", json={"inputs": "Hi", "model_name": "model-a"}, headers=headers
    )
    assert reply.status_code in (403, 404)
    assert ask(gateway, bearer(good(idp, models=[]))).status_code in (403, 404)


def test_an_administrators_key_may_look_like_a_token(start, idp) -> None:
    """It is compared before anything else."""
    gateway = start(ROUTES, ISSUER=idp.url, AI_GATEWAY_API_KEY="a.b.c")
    assert ask(gateway, bearer("a.b.c"), "/tokens").status_code == 200
    assert ask(gateway, bearer("a.b.d"), "/tokens").status_code == 401
    assert idp.requests == []


def test_without_keys_nothing_is_verified(gateway, idp) -> None:
    """503 with when to come again, within the time-out, until the issuer answers."""
    idp.answers[CONFIGURATION] = (500, b"")
    for _ in range(2):
        reply = ask(gateway, bearer(good(idp)))
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "10")
        assert reply.json["error"]["code"] == "issuer_unavailable"
    assert ask(gateway, {"X-API-Key": KEY}).status_code == 200
    assert len(idp.requests) == 1


def test_a_rotation_needs_no_restart(gateway, idp) -> None:
    """The first token by a new key makes the gateway look for it."""
    assert ask(gateway, bearer(good(idp))).status_code == 200
    idp.signers = (rsa_signer("rsa-2"),)
    assert ask(gateway, bearer(good(idp))).status_code == 200
    assert idp.fetches == 2
    assert ask(gateway, bearer(good(idp, signer=rsa_signer("rsa-3")))).status_code == 401
    assert idp.fetches == 2


def test_on_the_platform_a_foreign_token_is_the_platforms_own(start, idp) -> None:
    """Cloudera AI's key may be a token itself: it counts as absent, one of our issuers does not."""
    gateway = start(ROUTES, ISSUER=idp.url, **CAI)

    def get(path, text):
        headers = {**bearer(text), "REMOTE-USER": "bob"}
        return gateway.client.get(path, headers=headers).status_code

    for foreign in (good(idp, iss="https://cai.example"), "a.b.c", "opaque", "x" * 9000 + ".b.c"):
        assert get("/user", foreign) == 200
        assert get("/open", foreign) == 200
        assert get("/keys", foreign) == 401
        assert ask(gateway, bearer(foreign), "/tokens").status_code == 401
    assert get("/user", good(idp)) == 200
    for wrong in (good(idp, exp=1), good(idp, signer=rsa_signer("rsa-9"))):
        assert get("/user", wrong) == get("/open", wrong) == 401


def test_on_the_platform_a_token_of_ours_is_its_own_caller(start, idp) -> None:
    """It counts before the user name that the proxy adds."""
    gateway = start(ROUTES, ISSUER=idp.url, **CAI)
    assert ask(gateway, {**bearer(good(idp)), "REMOTE-USER": "bob"}).status_code == 200
    (row,) = gateway.rows()
    assert row["key_id"] == "jwt:idp:alice"


def test_a_job_needs_no_keys(tmp_path) -> None:
    """It verifies nothing, so a file of keys that is not there stops the server alone."""
    (tmp_path / "routes.yaml").write_text(
        "routes: [{path: /ping, function: 'functions.ping:handle', auth: jwt}]\n"
        "jwt: [{issuer: 'urn:a', audience: a, jwks_file: /no/such/file}]\n"
    )
    setting = Settings.read(tmp_path, {})
    assert [problem.key for problem in load(setting)[1]] == ["jwt.0.jwks_file"]
    assert load(setting, serving=False)[1] == []


BYTES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(BYTES | st.sampled_from(["eyJhbGciOiJub25lIn0", "e30", "W10"]), max_size=4))
def test_no_bytes_make_a_failure(gateway, parts) -> None:
    """Whatever is sent for a token is refused as such."""
    headers = {"Authorization": f"Bearer {'.'.join(parts)}"}
    reply = gateway.client.get("/open", headers=headers)
    assert reply.status_code == 401
