"""What may be asked for: closed models, field by field, of the bodies that the admin API takes.

What is not named here cannot be written through the API: functions are code, credentials and
models are the operator's own.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ai_gateway.errors import BadRequest

Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Texts = Annotated[list[Text], Field(max_length=100)] | Text
Rate = Annotated[int, Field(strict=True)] | Annotated[str, StringConstraints(max_length=40)]
#: Of a policy's file.
LONGEST_POLICY = 500_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class NewRoute(_Body):
    """A path that is proxied to a target."""

    name: Text | None = None
    path: Text
    target: Text
    methods: Texts | None = None
    method: Text | None = None
    auth: Texts | None = Field(None, validation_alias=AliasChoices("auth", "authType"))
    scopes: Texts | None = None
    rate_limit: Rate | None = Field(None, alias="rateLimit")
    guardrails: Annotated[list[Text], Field(max_length=100)] | None = None
    privacy: Text | None = None
    timeout: Annotated[float, Field(strict=True)] | Text | None = None
    max_body: Annotated[int, Field(strict=True)] | None = None
    errors: Text | None = None

    @model_validator(mode="after")
    def _one_way_to_say_methods(self) -> NewRoute:
        if self.method is not None and self.methods is not None:
            raise ValueError("either `method` or `methods`, not both")
        return self

    def entry(self) -> dict[str, Any]:
        """As it is written in the manifest, in the order in which people write it."""
        methods = _several(self.method if self.methods is None else self.methods)
        found = {
            "name": self.name,
            "path": self.path,
            "target": self.target,
            "methods": methods and [method.upper() for method in methods],
            "auth": _several(self.auth),
            "scopes": _several(self.scopes),
            "rateLimit": self.rate_limit,
            "guardrails": self.guardrails,
            "privacy": self.privacy,
            "timeout": self.timeout,
            "max_body": self.max_body,
            "errors": self.errors,
        }
        return {key: value for key, value in found.items() if value is not None}


#: What a request may say of a route, by the manifest's keys.
WRITABLE: Final = frozenset(
    field.alias or name for name, field in NewRoute.model_fields.items()
) - {"method"}


class Secured(_Body):
    """Who may call an endpoint, and how often. What is left out stays; null takes it away."""

    auth: Texts | None = Field(None, validation_alias=AliasChoices("authType", "auth"))
    rate_limit: Rate | None = Field(None, alias="rateLimit")

    def keys(self) -> dict[str, Any]:
        """What is to be put, by the manifest's keys."""
        given = {"auth": _several(self.auth), "rateLimit": self.rate_limit}
        names = {"auth": "auth", "rate_limit": "rateLimit"}
        return {names[name]: given[names[name]] for name in sorted(self.model_fields_set)}


class Restored(_Body):
    """The version that is to be in force again; 0 is what was shipped."""

    number: Annotated[int, Field(strict=True, ge=0, le=10**9)]


class PolicyText(_Body):
    """A policy as YAML, kept as it is with its comments."""

    yaml: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_POLICY)]


def refuse_variables(value: Any) -> None:
    """Raise BadRequest for ``${`` in any text or key: only the operator's own file has variables.

    Whoever may change routes must not learn the environment by sending it to a target.
    """
    if isinstance(value, str) and "${" in value:
        raise BadRequest("Text with ${ is taken from the operator's own files only.")
    if isinstance(value, dict):
        for key, each in value.items():
            refuse_variables(key)
            refuse_variables(each)
    if isinstance(value, list):
        for each in value:
            refuse_variables(each)
