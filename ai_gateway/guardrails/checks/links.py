"""``links``: where links in a text may lead.

An image's address in an answer is the usual way to carry off what a model knows: who shows it asks
the address, with the secret in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.links import MANY, Link, host_of, links
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene


def _known(host: str) -> str:
    dot = "." * host.startswith(".")
    found = host_of(host[len(dot) :])
    if not found or any(sign in host for sign in "/@*") or host.count(":") == 1:
        raise ValueError("a host such as docs.example.com, or .example.com for all below it")
    return dot + found


Host = Annotated[str, AfterValidator(_known)]
Hosts = Annotated[tuple[Host, ...], Field(max_length=10_000)]
Scheme = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*$", max_length=40)]


class Parameters(Check):
    """A finding's rule is `denied`, `scheme`, `not-allowed` or `too-many`; it leaves `[LINK]`."""

    type: Literal["links"]
    allowed_hosts: Hosts | None = Field(
        None, description="Hosts, or .example.com for all below it; any if left out, [] for none."
    )
    denied_hosts: Hosts = Field((), description="As allowed_hosts; these win.")
    allowed_schemes: Annotated[tuple[Scheme, ...], Field(min_length=1)] = ("https", "http")


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields every link that may not be, with score 1."""
    allowed = None if parameters.allowed_hosts is None else _Hosts(parameters.allowed_hosts)
    denied, schemes = _Hosts(parameters.denied_hosts), frozenset(parameters.allowed_schemes)

    def reason(link: Link) -> str | None:
        if any(host in denied for host in link.hosts):
            return "denied"
        if link.scheme and link.scheme not in schemes:
            return MANY if link.scheme == MANY else "scheme"
        if allowed is not None and not all(host in allowed for host in link.hosts):
            return "not-allowed"
        return None

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        for link in links(text.source):
            if rule := reason(link):
                yield Finding(rule, 1.0, link.start, link.end, "LINK")

    return Matcher(find)


class _Hosts:
    """Hosts by name, and those below which all are meant."""

    __slots__ = ("_above", "_exact")

    def __init__(self, hosts: Iterable[str]) -> None:
        self._exact = frozenset(host for host in hosts if not host.startswith("."))
        self._above = frozenset(host[1:] for host in hosts if host.startswith("."))

    def __contains__(self, host: str) -> bool:
        if host in self._exact:
            return True
        while self._above and host:
            host = host.partition(".")[2]
            if host in self._above:
                return True
        return False
