"""Tokens to be verified, and who verifies them; fixtures stand in conftest."""

import pytest

from ai_gateway.errors import InvalidToken
from tests.access.oidc import (
    claims,
    ec_signer,
    ed_signer,
    rsa_signer,
)

ISSUER = "https://login.example"
RSA, EC, ED = rsa_signer(), ec_signer(), ed_signer()
SIGNERS = (RSA, EC, ED, ec_signer("ec-2", "ES384"), ec_signer("ec-3", "ES512"))
#: One RSA key that may be used in two ways, as many issuers publish it.
PSS = rsa_signer("rsa-1", "PS256")


def token(signer=RSA, header=None, **changed):
    """A good token, but for what is changed."""
    return signer.sign(claims(ISSUER, **changed), **(header or {}))


def refused(tokens, text):
    """Whether it gets the one error."""
    with pytest.raises(InvalidToken) as error:
        tokens.caller(text)
    assert error.value.headers == {"www-authenticate": 'Bearer error="invalid_token"'}
    return str(error.value) == "The bearer token is not one that this gateway accepts."
