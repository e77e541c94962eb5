"""Tokens that are made to be believed and must not be."""

import hmac
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWS

from ai_gateway.access.jwks import KeyRing
from ai_gateway.access.tokens import MAX_TOKEN, Tokens
from tests.access.bearer import EC, ISSUER, PSS, RSA, SIGNERS, refused, token
from tests.access.oidc import (
    claims,
    document,
    part,
    provider,
    rsa_signer,
)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": True},
        {"b64": False},
        {"zip": "DEF"},
        {"typ": "logout+jwt"},
        {"typ": 7},
        {"kid": "../../../../dev/null"},
        {"kid": "' or 1=1 --"},
        {"kid": 7},
        {"kid": EC.name},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "RS512"},
        {"alg": ["RS256"]},
        {"alg": None},
    ],
)
def test_a_header_with_anything_odd_is_refused(tokens, header) -> None:
    """Extensions, tokens for other ends, other algorithms, and names of keys that there are not."""
    assert tokens().caller(_signed(RSA, {"typ": "at+JWT"}))
    assert refused(tokens(), _signed(RSA, header))


def _signed(signer, header, payload=None):
    """Signed by hand, since the library writes no such headers."""
    wanted = {"alg": signer.algorithm, "kid": signer.name} | header
    given = {name: value for name, value in wanted.items() if value is not None}
    start = f"{part(given)}.{part(claims(ISSUER) if payload is None else payload)}"
    algorithm = PyJWS().get_algorithm_by_name(signer.algorithm)
    return f"{start}.{part(algorithm.sign(start.encode(), signer.key))}"


def test_a_key_without_a_name_is_found_where_it_is_the_only_one(tokens) -> None:
    """Issuers with one key name none; where there are two, none is guessed."""
    assert tokens().caller(_signed(RSA, {"kid": None}))
    two = tokens(signers=(RSA, rsa_signer("rsa-2")), name="two")
    assert refused(two, _signed(RSA, {"kid": None}))


@pytest.mark.parametrize("signature", ["", part(b"anything"), "!"])
def test_a_token_that_nobody_signed_is_refused(tokens, signature) -> None:
    """Algorithm `none` is none, in whichever letters, and with whatever for a signature."""
    for algorithm in ("none", "NONE", "", "RS256"):
        header = {"alg": algorithm, "kid": RSA.name}
        assert refused(tokens(), f"{part(header)}.{part(claims(ISSUER))}.{signature}")


def test_the_public_key_is_no_secret(tokens) -> None:
    """A token with HS256 by the public key, in any of its spellings, is refused."""
    public = RSA.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), json.dumps(RSA.jwk).encode(), document(*SIGNERS)):
        for algorithm in ("HS256", "RS256"):
            start = f"{part({'alg': algorithm, 'kid': RSA.name})}.{part(claims(ISSUER))}"
            signature = hmac.new(secret, start.encode(), "sha256").digest()
            assert refused(tokens(), f"{start}.{part(signature)}")


def test_a_signature_by_another_key_of_that_name_is_refused(tokens) -> None:
    """The name is the issuer's to give, and so are the key and every bit of what it signed."""
    for signer in (rsa_signer("rsa-1", "RS256", 2049), PSS):
        assert refused(tokens(), token(signer))
    good = token()
    for place in (0, 30, good.index(".") + 9, good.rindex(".") + 9, len(good) - 1):
        other = "A" if good[place] != "A" else "Q"
        assert refused(tokens(), good[:place] + other + good[place + 1 :])


def test_a_token_brings_no_keys_along(tokens) -> None:
    """Keys and addresses in a header are not looked at: nobody is called."""
    own = rsa_signer("own")
    with provider(own) as trap:
        url = f"{trap.url}/keys"
        for more in ({"jwk": own.jwk}, {"jku": url}, {"x5u": url}, {"x5c": ["MIIB"]}):
            for name in ("own", "rsa-1", url, None):
                assert refused(tokens(), _signed(own, {"kid": name, **more}))
            assert tokens().caller(_signed(RSA, more))
        assert refused(tokens(), trap.token())
        assert trap.requests == []


def test_nobody_is_called_for_a_token_that_is_none(clock, metrics) -> None:
    """Issuer and algorithm are looked up in the operator's file before any network."""
    ring = KeyRing(clock, {}, metrics)
    with provider(RSA) as idp:
        found = Tokens([idp.issuer()], ring, clock, metrics)
        good = claims(idp.url)
        wrong = [_signed(RSA, {"alg": alg}, good) for alg in ("HS256", "none", "PS256", "ES256")]
        for text in (*wrong, token(), "a.b.c", _signed(RSA, {"jku": idp.url})):
            assert refused(found, text)
        assert idp.requests == []
        assert found.caller(_signed(RSA, {}, good))
    ring.close()


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(claims(ISSUER))[:-1] + ', "aud": "another"}',
        json.dumps(claims(ISSUER))[:-1] + ', "sub": "alice"}',
        json.dumps(claims(ISSUER))[:-1] + ', "a": NaN}',
        json.dumps([claims(ISSUER)]),
        '"https://login.example"',
        "",
        "{" * 50,
        '{"a":' * 5000,
        "\xff",
    ],
)
def test_claims_with_two_readings_are_refused(tokens, payload) -> None:
    """A claim that stands twice, and JSON that is none, though the issuer signed it."""
    assert refused(tokens(), _signed(RSA, {}, payload.encode("latin-1")))


def test_a_token_has_one_spelling(tokens) -> None:
    """Padding, other letters for the same bits, and spaces are not passed over."""
    header, body, signature = token().split(".")
    for text in (
        f"{header}=.{body}.{signature}",
        f"{header}.{body}==.{signature}",
        f"{header}.{body}.{signature}==",
        f"{header} .{body}.{signature}",
        f"{header}.{body}.{signature}.",
        f"{header}.{body}",
        f".{body}.{signature}",
        f"{header}..{signature}",
        f"{header}.{body}+/.{signature}",
        "\udcff.\udcff.\udcff",
        "ä.ö.ü",
        "..",
    ):
        assert refused(tokens(), text)


def test_a_huge_token_is_not_looked_at(tokens) -> None:
    """More than 8,192 characters are refused, the signature may be as good as it is."""
    good = token(filler="a" * 5000)
    assert len(good) < MAX_TOKEN
    assert tokens().caller(good)
    assert refused(tokens(), token(filler="a" * 6000))
    assert refused(tokens(), "a" * 10_000_000 + ".b.c")


def test_two_tokens_with_one_beginning_are_two(tokens) -> None:
    """What is remembered goes by the whole token: neither another payload nor another end hits."""
    found = tokens()
    alice, bob = token(sub="alice"), token(sub="bob")
    assert alice[:60] == bob[:60]
    assert found.caller(alice).id.endswith(":alice")
    assert found.caller(bob).id.endswith(":bob")
    assert refused(found, alice.rpartition(".")[0] + "." + bob.rpartition(".")[2])
    assert refused(found, alice[:-8] + "AAAAAAAA")
    assert found.caller(alice).id.endswith(":alice")
