"""Who issues the tokens that ``auth: jwt`` takes, as routes.yaml declares it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.units import Duration, Interval, Name, matching

#: Signatures by a private key alone (RFC 7518, 3.1; RFC 8037, 3.1). ``none`` signs nothing, and
#: with HS256 a public key would be taken for the secret.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]

#: What a tenant may be called, by an issuer or by its tokens: it parts data from other data.
TENANT = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
_PATH = r"[^\s.]+(?:\.[^\s.]+)*"
_dotted = matching(_PATH, "a claim, such as tenant or realm_access.roles, or a list of its keys")


def _path(value: object) -> object:
    """A claim's keys from outside in; a key with a dot in it is only to be had from a list."""
    return tuple(str(_dotted(value)).split(".")) if isinstance(value, str) else value


ClaimPath = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(min_length=1, max_length=8),
    BeforeValidator(_path),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_PATH}$"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 8},
            ]
        }
    ),
]


Tenant = Annotated[
    str,
    BeforeValidator(matching(TENANT, "at most 64 letters, digits, dots, dashes, _ and @")),
    WithJsonSchema({"type": "string", "pattern": f"^{TENANT}$"}),
]


class Claims(Closed):
    """Which claim of a token says what of its caller."""

    tenant: ClaimPath | None = Field(None, description="A name; a token without it is refused.")
    team: ClaimPath | None = Field(None, description="A text.")
    owner: ClaimPath | None = Field(None, description="A text.")
    scopes: ClaimPath | None = Field(None, description="A list, or a text with spaces between.")
    routes: ClaimPath | None = Field(None, description="The same: names of routes.")
    models: ClaimPath | None = Field(None, description="The same: names of models.")


class Issuer(Closed):
    """One issuer of tokens, where its keys are, and what is believed of what it says."""

    name: Name = Field(description="The issuer's host, if left out; no two have one in common.")
    issuer: str = Field(min_length=1, max_length=500, description="The claim `iss`, to the letter.")
    audience: Annotated[tuple[str, ...], OneOrMore, Field(min_length=1)] = Field(
        description="A token's `aud` names one of these."
    )
    jwks_url: str | None = Field(
        None, description="Where its keys are, if not where its OpenID configuration says."
    )
    jwks_file: str | None = Field(None, description="A file with its keys, for want of a network.")
    algorithms: Annotated[tuple[Algorithm, ...], OneOrMore, Field(min_length=1)] = Field(
        ("RS256",), description="What it signs with; a token that says another is refused."
    )
    leeway: Interval = Field(30.0, le=300, description="How far its clock and ours may differ.")
    claims: Claims = Claims()
    tenant: Tenant = Field("default", description="Of all its callers.")
    required_scopes: Annotated[tuple[str, ...], OneOrMore] = Field(
        (), description="What every token must have among its scopes."
    )
    ttl: Duration = Field(600.0, description="How often its keys are fetched.")
    max_age: Duration = Field(86400.0, description="How long keys are good that cannot be fetched.")
    timeout: Duration = Field(2.0, le=30, description="The longest that a request waits for keys.")

    @model_validator(mode="before")
    @classmethod
    def _name_by_host(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" not in value and isinstance(value.get("issuer"), str):
            return {**value, "name": _host(value["issuer"])}
        return value


def _host(issuer: str) -> str:
    try:
        text = urlsplit(issuer).hostname or issuer
    except ValueError:
        text = issuer
    words = re.findall(r"[a-z0-9]+[a-z0-9._]*", text.lower())
    return "-".join(words)[:64] or "issuer"
