"""The self-service page as an operator declares it: how people sign in, and what they may have."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_validator

from ai_gateway.access.issuer import Claims
from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.units import Duration, Name

_DAY: Final = 86_400.0

#: Where the page's own script looks for each of its functions.
PATHS: Final[dict[str, tuple[str, str]]] = {
    "page": ("GET", "/portal"),
    "file": ("GET", "/portal/static/{file}"),
    "login": ("GET", "/portal/login"),
    "callback": ("GET", "/portal/callback"),
    "logout": ("POST", "/portal/logout"),
    "me": ("GET", "/portal/me"),
    "keys": ("GET", "/portal/keys"),
    "key_issue": ("POST", "/portal/keys"),
    "key_revoke": ("DELETE", "/portal/keys/{id}"),
    "key_rotate": ("POST", "/portal/keys/{id}/rotate"),
    "use": ("GET", "/portal/use"),
}
#: What everybody may call, who is to sign in with it.
OPEN: Final = frozenset({"page", "file", "login", "callback"})
#: What only a sign-in of the gateway's own needs.
SIGNING: Final = frozenset({"login", "callback", "logout"})
#: What nobody in particular asks for, and costs the gateway something.
COSTLY: Final = frozenset({"login", "callback"})
PAGE: Final = PATHS["page"][1]
CALLBACK: Final = PATHS["callback"][1]
LOGIN: Final = PATHS["login"][1]

_FUNCTIONS: Final = "functions.portal."
_Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]


def portal_function(function: str | None) -> str | None:
    """The name in ``PATHS`` of the portal's function that ``function`` is; None for another."""
    if function is None or not function.startswith(_FUNCTIONS):
        return None
    return function.removeprefix(_FUNCTIONS).partition(":")[0]


class SignIn(Closed):
    """OpenID Connect's authorization code flow, with PKCE."""

    issuer: Name = Field(description="The name of an entry of `jwt`.")
    client_id: _Text = Field(description="What the issuer calls this gateway.")
    client_secret: SecretStr | None = Field(
        None, description="Sent in the body (`client_secret_post`); none for a public client."
    )
    redirect_url: str = Field(
        max_length=500, description="https://HOST/portal/callback, as people's browsers reach it."
    )
    authorization_url: str | None = Field(
        None, description="Where people sign in, if not where the OpenID configuration says."
    )
    token_url: str | None = Field(
        None, description="Where codes are exchanged, if not where the OpenID configuration says."
    )
    scopes: Annotated[tuple[_Text, ...], OneOrMore, Field(min_length=1, max_length=20)] = Field(
        ("openid",), description="What is asked for; `openid` is one of them."
    )
    claims: Claims | None = Field(
        None, description="Which claim of an ID token says what, if not as the issuer's `claims`."
    )
    session: Duration = Field(
        8 * 3600.0, le=30 * _DAY, description="After so long people sign in again, always."
    )
    idle: Duration = Field(3600.0, le=30 * _DAY, description="The same, after so long unused.")

    @field_validator("client_secret")
    @classmethod
    def _a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("a secret, or none at all for a public client")
        return value


class KeyRules(Closed):
    """What the keys may be that people make for themselves."""

    routes: Annotated[tuple[Name, ...], OneOrMore, Field(min_length=1, max_length=1000)] = Field(
        description="Names of routes that they may call, some or all of them."
    )
    models: Annotated[tuple[Name, ...], OneOrMore, Field(min_length=1, max_length=1000)] | None = (
        Field(None, description="Names of models that they may ask; all if left out.")
    )
    scopes: Annotated[tuple[Name, ...], OneOrMore, Field(max_length=100)] = Field(
        (), description="What they may be given, to who has it himself."
    )
    most: int = Field(5, ge=1, le=100, description="Keys at once that one person has.")
    longest: Duration = Field(
        90 * _DAY,
        le=10 * 366 * _DAY,
        description="No key lives longer; that is how long if unsaid.",
    )


class Portal(Closed):
    """The self-service page."""

    oidc: SignIn | None = Field(
        None, description="How people sign in; not needed where the platform says who they are."
    )
    keys: KeyRules = Field(description="What the keys may be that people make.")


#: Why a sign-in did not come about, as the page is told: nothing else goes into its address.
Problem = Literal["expired", "denied", "failed", "unavailable"]
