"""What a document holds of keys: those that fit, and no more of it than is read."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from ai_gateway.access.keyset import MAX_DOCUMENT, Unusable, parsed, read_file
from tests.access.oidc import (
    Signer,
    document,
    ec_signer,
    ed_signer,
    rsa_signer,
)

RSA, EC, ED = rsa_signer(), ec_signer(), ed_signer()
NEW = rsa_signer("rsa-2")
EVERY = ("RS256", "PS256", "ES256", "EdDSA")


def weak():
    """An RSA key that is too short."""
    return Signer("weak", "RS256", rsa.generate_private_key(65537, 1024))


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC"},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        RSAAlgorithm.to_jwk(RSA.key, as_dict=True) | {"key_ops": ["verify"]},
        {"kid": 7},
        {"kid": ["rsa-1"]},
        {"n": 7},
        {"n": None},
        {"n": "ä"},
        {"e": "AA"},
        {"n": weak().jwk["n"]},
        {"kty": None},
    ],
)
def test_a_key_that_does_not_fit_is_left_out(changed) -> None:
    """Too short, secret, private, of another use or algorithm, or no key: the others stay."""
    wrong = {name: value for name, value in (RSA.jwk | changed).items() if value is not None}
    found = parsed(json.dumps({"keys": [wrong, 7, NEW.jwk]}).encode(), ("RS256",))
    assert {name for name, _ in found.keys} == {"rsa-2"}


def test_a_key_serves_every_algorithm_that_it_fits() -> None:
    """One RSA key signs by both paddings; a curve goes with one algorithm alone."""
    found = parsed(document(RSA, EC, ED), EVERY)
    assert set(found.keys) == {
        ("rsa-1", "RS256"),
        ("rsa-1", "PS256"),
        ("ec-1", "ES256"),
        ("ed-1", "EdDSA"),
    }
    with pytest.raises(Unusable, match="no public key for ES384 or ES512"):
        parsed(document(RSA, EC, ED), ("ES384", "ES512"))


def test_no_more_than_a_hundred_keys_are_looked_at() -> None:
    """A set without end costs no more than that."""
    many = {"keys": [RSA.jwk | {"kid": str(number)} for number in range(150)]}
    assert len(parsed(json.dumps(many).encode(), ("RS256",)).keys) == 100


def test_a_file_has_a_bound_too(tmp_path) -> None:
    """Neither a file that is not there nor one without end is read whole."""
    large = tmp_path / "large"
    large.write_bytes(b" " * (MAX_DOCUMENT + 1))
    for path, says in ((large, f"more than {MAX_DOCUMENT} bytes"), (tmp_path / "no", "No such")):
        with pytest.raises(Unusable, match=says):
            read_file(str(path))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
PARTS = ["kty", "kid", "alg", "use", "key_ops", "n", "e", "x", "y", "crv", "d"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([RSA, EC, ED]),
    st.dictionaries(st.sampled_from(PARTS), VALUES | st.sampled_from(["AQAB", "verify", "AAAA"])),
)
def test_whatever_a_key_says_it_is_a_key_or_left_out(signer, changed) -> None:
    """No published key of any form stops the reading of the others."""
    keys = {"keys": [signer.jwk | changed, NEW.jwk]}
    found = parsed(json.dumps(keys).encode(), EVERY)
    assert ("rsa-2", "RS256") in found.keys
