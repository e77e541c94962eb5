"""Tokens are believed when everything about them is right, and then for no longer than they say."""

import logging
import re
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt import PyJWK
from yaml import safe_load

from ai_gateway.access.issuer import Claims, Issuer
from ai_gateway.access.jwks import KeyRing
from ai_gateway.access.keyset import KeySet
from ai_gateway.access.tokens import Refused, Tokens, Verifier, read, shaped
from ai_gateway.errors import InvalidToken
from ai_gateway.manifest.model import Manifest
from tests.access.bearer import EC, ED, ISSUER, PSS, RSA, SIGNERS, refused, token
from tests.access.oidc import (
    NOW,
    Clock,
    claims,
    document,
    part,
    rsa_signer,
)
from tests.conftest import ROOT


def test_a_good_token_names_its_caller(tokens) -> None:
    """Issuer and subject make the id; without a mapping the tenant is the default, scopes none."""
    caller = tokens().caller(token())
    assert (caller.id, caller.scheme) == ("jwt:login.example:alice", "jwt")
    assert (caller.tenant, caller.team, caller.owner) == ("default", "", "")
    assert (caller.scopes, caller.routes, caller.models) == (frozenset(), None, None)
    assert not caller.admin


@pytest.mark.parametrize("signer", [*SIGNERS, PSS], ids=lambda signer: signer.algorithm)
def test_every_pinned_algorithm_verifies(tokens, signer) -> None:
    """RSA, PSS, elliptic curves and Edwards curves are all to be had, each by its own key."""
    found = tokens(algorithms=signer.algorithm, signers=(*SIGNERS[1:], signer))
    assert found.caller(token(signer)).id.endswith(":alice")


@pytest.mark.parametrize("signer", SIGNERS[1:], ids=lambda signer: signer.algorithm)
def test_what_is_not_pinned_is_refused(tokens, signer) -> None:
    """A good signature by another algorithm than the operator's is none."""
    assert refused(tokens(), token(signer))


def test_claims_tell_the_callers_tenant_team_and_rights(tokens) -> None:
    """Paths go into objects; lists are lists, or texts with spaces between."""
    found = tokens(
        claims={
            "tenant": ["https://login.example/tenant"],
            "team": "organisation.team",
            "owner": "email",
            "scopes": "scope",
            "routes": "gateway.routes",
            "models": "gateway.models",
        },
        required_scopes=["inference"],
    )
    more = {
        "https://login.example/tenant": "acme",
        "organisation": {"team": "search"},
        "email": "alice@login.example",
        "scope": "inference feedback",
        "gateway": {"routes": ["inference"], "models": []},
    }
    caller = found.caller(token(**more))
    assert (caller.tenant, caller.team, caller.owner) == ("acme", "search", "alice@login.example")
    assert caller.scopes == {"inference", "feedback"}
    assert (caller.routes, caller.models) == ({"inference"}, frozenset())


def test_what_a_token_does_not_say_is_nothing(tokens) -> None:
    """A mapped list that is missing is empty, not everything; a mapped text is empty."""
    paths = {name: f"gateway.{name}" for name in ("team", "owner", "scopes", "routes", "models")}
    for more in ({}, {"gateway": None}, {"gateway": "text"}, {"gateway": {"routes": None}}):
        caller = tokens(claims=paths).caller(token(**more))
        assert (caller.team, caller.owner) == ("", "")
        assert caller.scopes == caller.routes == caller.models == frozenset()


def test_all_callers_of_an_issuer_may_have_its_tenant(tokens) -> None:
    """Where no claim is mapped, the issuer's own tenant counts."""
    assert tokens(tenant="acme").caller(token(tenant="other")).tenant == "acme"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tid": None},
        {"tid": 7},
        {"tid": ""},
        {"tid": ["acme"]},
        {"tid": "a b"},
        {"tid": "a:b"},
        {"tid": "acme\n"},
        {"tid": "a" * 65},
        {"tid": "a" * 500},
    ],
)
def test_a_tenant_that_is_none_refuses_the_token(tokens, more) -> None:
    """Nobody falls into the default tenant because his token says something odd."""
    assert refused(tokens(claims={"tenant": "tid"}), token(**more))


@pytest.mark.parametrize(
    "more",
    [
        {"team": 1},
        {"team": "\x00"},
        {"team": " "},
        {"scope": 7},
        {"scope": ["a", 7]},
        {"scope": {"a": True}},
        {"scope": "inference *"},
        {"scope": ["inference", "*"]},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": "a\r\nx-evil: 1"},
        {"scope": "other"},
    ],
)
def test_claims_that_do_not_fit_refuse_the_token(tokens, more) -> None:
    """A claim that is not what it is mapped to is no reason to guess."""
    found = tokens(claims={"team": "team", "scopes": "scope"}, required_scopes=["inference"])
    good = {"team": "search", "scope": "inference"}
    assert found.caller(token(**good))
    assert refused(found, token(**(good | more)))


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "https://login.example/"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["https://login.example"]},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": {"gateway": 1}},
        {"aud": ["gateway", 1]},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": NOW - 31},
        {"nbf": NOW + 31},
        {"nbf": "now"},
        {"iat": NOW + 31},
        {"iat": [NOW]},
    ],
)
def test_what_is_meant_for_others_or_another_time_is_refused(tokens, more) -> None:
    """Issuer and audience to the letter; not after exp, nor before nbf and iat, by our clock."""
    assert refused(tokens(), token(**more))


@pytest.mark.parametrize(
    "more",
    [
        {"aud": ["x", "other"]},
        {"exp": NOW - 29},
        {"nbf": NOW + 29},
        {"iat": NOW + 29},
        {"iat": None},
        {"exp": 1e300},
    ],
)
def test_clocks_may_differ_by_the_leeway(tokens, more) -> None:
    """Half a minute either way, if the operator says nothing else."""
    assert tokens().caller(token(**more))


def test_a_token_is_verified_once(tokens, metrics) -> None:
    """What is remembered is not verified again within five minutes, or its own time."""

    def verified():
        labels = {"issuer": "login.example", "outcome": "verified"}
        return metrics.registry.get_sample_value("ai_gateway_tokens_total", labels)

    found, good = tokens(), token()
    assert [found.caller(good).id for _ in range(3)] == ["jwt:login.example:alice"] * 3
    assert verified() == 1


def test_what_is_remembered_ends_with_the_token(tokens, clock, metrics) -> None:
    """To the second: until exp it is remembered, within the leeway verified, then refused."""
    found, good = tokens(), token(exp=NOW + 100)
    assert found.caller(good)
    clock.time = NOW + 99
    assert found.caller(good)
    for _ in range(2):
        clock.time += 15
        assert found.caller(good)
    clock.time = NOW + 130
    assert refused(found, good)
    counts = {
        sample.labels["outcome"]: sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "ai_gateway_tokens_total"
    }
    assert counts == {"verified": 3, "time": 1}


def test_a_removed_key_ends_what_it_signed(tokens, clock, tmp_path, metrics) -> None:
    """Once the keys were fetched without it, a token that is remembered is refused as well."""
    ring = KeyRing(clock, {}, metrics)
    path = tmp_path / "keys.json"
    path.write_bytes(document(RSA))
    issuer = Issuer(issuer=ISSUER, audience="gateway", jwks_file=str(path))
    found = Tokens([issuer], ring, clock, metrics)
    good = token(exp=NOW + 5000)
    assert found.caller(good)
    path.write_bytes(document(EC, rsa_signer("rsa-2")))
    clock.time += 600
    assert found.caller(good)
    ring.look()
    while ring.of(issuer).current().find("rsa-1", "RS256"):
        Event().wait(0.01)
    assert refused(found, good)
    ring.close()


def test_another_issuers_token_is_absent_where_others_have_tokens(tokens) -> None:
    """On Cloudera AI the platform has its own; a wrong one of ours is wrong there too."""
    found = tokens()
    for foreign in (token(iss="https://cai.example"), "a.b.c", token(iss=7), "x" * 9000 + ".b.c"):
        assert found.caller(foreign, others=True) is None
        assert refused(found, foreign)
    with pytest.raises(InvalidToken):
        found.caller(token(exp=NOW - 100), others=True)
    assert found.caller(token(), others=True)


def test_two_issuers_do_not_sign_for_each_other(tmp_path, clock, metrics) -> None:
    """The keys of one verify none of the other's tokens, though the names are the same."""
    other = rsa_signer("rsa-1", "RS256", 2056)
    issuers = []
    for url, signer in (("https://one.example", RSA), ("https://two.example", other)):
        path = tmp_path / url[8:]
        path.write_bytes(document(signer))
        issuers.append(Issuer(issuer=url, audience="gateway", jwks_file=str(path)))
    ring = KeyRing(clock, {}, metrics)
    found = Tokens(issuers, ring, clock, metrics)
    assert found.caller(RSA.sign(claims("https://one.example"))).id == "jwt:one.example:alice"
    assert found.caller(other.sign(claims("https://two.example"))).id == "jwt:two.example:alice"
    assert refused(found, RSA.sign(claims("https://two.example")))
    assert refused(found, other.sign(claims("https://one.example")))
    ring.close()


def test_nothing_of_a_token_is_told(tokens, caplog, metrics) -> None:
    """Neither logs nor metrics hold a token or a claim; the sender gets one sentence."""
    caplog.set_level(logging.DEBUG)
    found = tokens(claims={"tenant": "tid"})
    canary = "canary-of-the-test"
    for text in (
        token(tid=canary, exp=NOW - 100),
        token(tid=canary, aud=canary),
        token(iss=canary),
        token(sub=canary),
        token(header={"kid": canary}),
        f"{canary}.{canary}.{canary}",
        token(tid=canary)[:-4] + "AAAA",
    ):
        assert refused(found, text)
    assert canary not in caplog.text + metrics.expose().decode()
    assert "eyJ" not in caplog.text + metrics.expose().decode()
    assert canary not in repr(found.caller(token(tid="acme", sub="alice")))


PARTS = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=60).map(part),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["alg", "kid", "iss", "exp", "typ", "a"]), inner)
        ),
    ).map(part),
    st.sampled_from(token().split(".")),
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PARTS, max_size=4).map(".".join)))
def test_no_bytes_make_a_token_by_chance(text) -> None:
    """Whatever is sent is read as objects or refused, and never anything else."""
    try:
        header, body = read(text)
    except Refused:
        return
    assert isinstance(header, dict)
    assert isinstance(body, dict)
    assert shaped(text)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["aud", "sub", "exp", "nbf", "iat", "tid", "scope", "team"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**53), 2**53),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=20),
            st.sampled_from(["gateway", "acme", NOW + 5]),
            st.lists(st.one_of(st.text(max_size=5), st.integers(0, 9), st.just("gateway"))),
        ),
    )
)
def test_whatever_an_issuer_signs_makes_a_caller_or_is_refused(signed) -> None:
    """Claims of any type give a whole caller or the one error."""
    paths = Claims(tenant="tid", scopes="scope", team="team")
    issuer = Issuer(issuer=ISSUER, audience="gateway", claims=paths, algorithms="EdDSA")
    verifier = Verifier(issuer, Known(), Clock())
    good = claims(ISSUER, tid="acme") | signed
    try:
        found = verifier.verified(ED.sign(good), {"alg": "EdDSA"}, good).caller
    except Refused:
        return
    assert found.tenant
    assert found.id.startswith("jwt:login.example:")
    assert isinstance(found.scopes, frozenset)


class Known:
    """Keys that find whatever is asked for: only claims are in question."""

    def find(self, name, algorithm):
        return KeySet({}, b""), PyJWK(ED.jwk)


def test_every_key_of_an_issuer_stands_on_its_page() -> None:
    """Whoever declares one finds each of its keys."""
    page = (ROOT / "docs" / "access.md").read_text()
    names = {*Issuer.model_fields, *Claims.model_fields}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_the_example_of_the_page_checks() -> None:
    """What stands there may be copied."""
    page = (ROOT / "docs" / "access.md").read_text()
    examples = [
        yaml for yaml in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "jwt:" in yaml
    ]
    assert examples
    for example in examples:
        Manifest.model_validate(safe_load(example))
