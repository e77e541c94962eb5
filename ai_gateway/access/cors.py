"""``cors:`` of a route: pages of which origins may call it from a browser (WHATWG Fetch, 3.2).

Off unless a route declares it. An origin is compared whole and exactly, as browsers write it, so
that neither a look-alike nor another port is one of those named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from typing_extensions import Self

from ai_gateway.manifest.closed import Closed, OneOrMore
from ai_gateway.manifest.units import Interval, matching

ANY = "*"
ORIGIN = "access-control-allow-origin"
_ORIGIN = r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?|\*"
_WANTED = (
    "an origin as browsers send it: https://HOST or https://HOST:PORT, in lower case, "
    "without a path; or * for every one"
)
_OWN_PORTS = re.compile(r"http://.*:80|https://.*:443")
_HEADER = r"[a-z0-9][a-z0-9_-]{0,99}"


def _origin(value: str) -> str:
    if _OWN_PORTS.fullmatch(value):
        raise ValueError("an origin without the port that its scheme has anyway")
    return value


Origin: TypeAlias = Annotated[
    str,
    AfterValidator(_origin),
    BeforeValidator(matching(_ORIGIN, _WANTED)),
    WithJsonSchema({"type": "string", "pattern": f"^({_ORIGIN})$"}),
]
HeaderName: TypeAlias = Annotated[
    str,
    BeforeValidator(matching(_HEADER, "a header's name in lower case; * is none")),
    WithJsonSchema({"type": "string", "pattern": f"^{_HEADER}$"}),
]
Names: TypeAlias = Annotated[tuple[HeaderName, ...], OneOrMore, Field(max_length=100)]


class Cors(Closed):
    """Which pages may call, and what they may send and read."""

    origins: Annotated[tuple[Origin, ...], OneOrMore, Field(min_length=1, max_length=100)] = Field(
        description="Exact ones, such as https://app.example.com; or * without credentials."
    )
    methods: Annotated[
        tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], ...], OneOrMore
    ] = Field((), description="Of the route's; all of them if left out.")
    headers: Names = Field(
        ("authorization", "content-type", "x-api-key", "api-key"),
        description="What a page may send beside what any page may.",
    )
    expose: Names = Field(
        ("x-request-id", "x-gateway-model", "x-gateway-decision", "retry-after"),
        description="What a page may read of a reply's headers.",
    )
    credentials: bool = Field(
        default=False,
        description="Whether the browser sends cookies and certificates of its own.",
    )
    max_age: Interval = Field(
        600.0, le=86400, description="How long a browser may remember a preflight's answer."
    )

    @model_validator(mode="after")
    def _any_is_anonymous(self) -> Self:
        if ANY in self.origins and (self.credentials or len(self.origins) > 1):
            raise ValueError("* alone and without credentials, or exact origins")
        return self

    def marks(self, origin: str | None) -> Mapping[str, str]:
        """What a reply to a page of ``origin`` says: that it may read it, or nothing."""
        allowed = self._allowed(origin)
        if allowed is None:
            return {}
        marks = {ORIGIN: allowed}
        if self.credentials:
            marks["access-control-allow-credentials"] = "true"
        return marks

    def preflight(
        self, origin: str | None, method: str, methods: tuple[str, ...]
    ) -> dict[str, str] | None:
        """The answer's headers before a ``method`` of those that the route has.

        None where the page may not send it. Which headers it may send is the browser's to compare.
        """
        methods = self.methods or methods
        marks = self.marks(origin)
        if not marks or method not in methods:
            return None
        return {
            **marks,
            "access-control-allow-methods": ", ".join(methods),
            "access-control-allow-headers": ", ".join(self.headers),
            "access-control-max-age": f"{self.max_age:.0f}",
            "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        }

    def signed(self, headers: Mapping[str, str], origin: str | None, method: str) -> dict[str, str]:
        """A reply's headers with those of a page of ``origin``; caches keep origins apart.

        Not every ``method`` has a preflight before it, so it is looked at here too.
        """
        marks = dict(self.marks(origin)) if method in (self.methods or (method,)) else {}
        if marks and self.expose:
            marks["access-control-expose-headers"] = ", ".join(self.expose)
        if ANY not in self.origins:
            own = headers.get("vary")
            marks["vary"] = f"{own}, Origin" if own else "Origin"
        return {**headers, **marks}

    def _allowed(self, origin: str | None) -> str | None:
        if origin is None:
            return None
        if ANY in self.origins:
            return ANY
        return origin if origin in self.origins else None


def short(value: object) -> object:
    """One origin stands for a whole ``cors``."""
    return {"origins": value} if isinstance(value, str) else value
