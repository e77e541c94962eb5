"""How the gateway proves itself to an upstream, as a manifest declares it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import matching

_HEADER = r"[a-z0-9-]{0,60}(?:authorization|key|token)"
_matches = matching(_HEADER, "a header for a key, such as authorization, api-key or x-api-key")


def _header(value: object) -> object:
    return _matches(value.lower() if isinstance(value, str) else value)


Header = Annotated[
    str,
    BeforeValidator(_header),
    WithJsonSchema({"type": "string", "pattern": f"^(?i:{_HEADER})$"}),
]


class Aws(Closed):
    """AWS credentials, found as every AWS client finds them, for Amazon Bedrock."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="As in the URL.")
    profile: str | None = Field(None, description="Of AWS's own configuration files.")


class Google(Closed):
    """Google credentials: the application's default ones, or those in a file."""

    key_file: str | None = Field(None, description="Of a service account or a federation.")


class Credentials(Closed):
    """One way to a token, and the header that carries it."""

    token: SecretStr | None = Field(
        None, description="A bearer token; `file:/path` means the same as `token_file`."
    )
    token_file: str | None = Field(
        None,
        min_length=1,
        description="A file with a token, plain or as JSON field `access_token` (/tmp/jwt).",
    )
    aws: Aws | None = Field(None, description="Needs the extra `aws`.")
    google: Google | None = Field(None, description="Needs the extra `google`.")
    header: Header | None = Field(
        None,
        description="Takes the token as it is, but `authorization` after `Bearer`. That is the "
        "default; of the dialect `anthropic` it is `x-api-key`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _file_token(cls, value: Any) -> Any:
        given = value if isinstance(value, dict) else {}
        ways = [
            way for way in ("token", "token_file", "aws", "google") if given.get(way) is not None
        ]
        if len(ways) > 1:
            raise ValueError(f"either `{ways[0]}` or `{ways[1]}`, not both")
        token = given.get("token")
        text = token.get_secret_value() if isinstance(token, SecretStr) else token
        if not isinstance(text, str) or not text.startswith("file:"):
            return value
        return {**value, "token": None, "token_file": re.sub("^file:(//(?=/))?", "", text)}
