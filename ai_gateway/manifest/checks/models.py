"""Models have usable endpoints, and every name of a model, policy or prompt is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings, nearest
from ai_gateway.manifest.checks.hosts import split
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.manifest.model import Endpoint, Manifest, Model, Route
from ai_gateway.upstream.clouds import EXTRAS
from ai_gateway.upstream.credentials import usable

#: An endpoint of the Inference Service, and how its API's path ends.
_ENDPOINT = re.compile(r"/namespaces/[^/]+/endpoints/")
_API = re.compile(r"/v1(/[a-z/]+)?/?$")

#: By dialect: keys of a model that change nothing of what is sent to it.
_WORDLESS = {
    "anthropic": ("include_usage", "token_limit"),
    "oip": ("include_usage", "max_output_tokens", "token_limit"),
}


def check(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    """Each model by itself, then the names that point at one."""
    yield from _models(manifest)
    yield from _names(manifest, around)


def _models(manifest: Manifest) -> Iterator[Finding]:
    for name, model in manifest.models.items():
        at: Location = ("models", name)
        token = model.credentials.token.get_secret_value() if model.credentials.token else ""
        if token.startswith(("http://", "https://")) and not model.url.startswith("http"):
            yield Finding(
                (*at, "url"),
                "a token where the URL belongs, and a URL where the token belongs",
                "the endpoint's URL in url and the token in credentials.token: they look swapped",
            )
            continue
        yield from _url((*at, "url"), model.url, model.dialect)
        yield from check_credentials((*at, "credentials"), model.credentials)
        yield from _client(at, model)
        yield from _endpoints(at, model)
        yield from _unsaid(at, model)


def _unsaid(at: Location, model: Model) -> Iterator[Finding]:
    """What its API has no word for."""
    for name in _WORDLESS.get(model.dialect, ()):
        if name in model.model_fields_set:
            found = f"{name} and the dialect {model.dialect}, which knows no such thing"
            yield Finding((*at, name), found, "it on a model that does")


def _endpoints(at: Location, model: Model) -> Iterator[Finding]:
    others = [_where(endpoint.url) for endpoint in model.endpoints]
    urls = Counter([_where(model.url), *others])
    for index, endpoint in enumerate(model.endpoints):
        here: Location = (*at, "endpoints", index)
        yield from _url((*here, "url"), endpoint.url, model.dialect)
        yield from _client(here, endpoint)
        if endpoint.credentials is not None:
            yield from check_credentials((*here, "credentials"), endpoint.credentials)
        if urls[others[index]] > 1:
            yield Finding((*here, "url"), "host and path of another endpoint", "each of them once")
    if "balance" in model.model_fields_set and not model.endpoints:
        yield Finding((*at, "balance"), model.balance, "endpoints to pick from, or no balance")


def _client(at: Location, part: Model | Endpoint) -> Iterator[Finding]:
    """Who the gateway is to an endpoint that asks for a certificate."""
    if part.client_key and not part.client_cert:
        yield Finding((*at, "client_key"), "a key without client_cert", "the certificate with it")
    parts = split(part.url)
    if part.client_cert and parts and parts.scheme != "https":
        wanted = "an https URL, or no certificate: nobody asks for it here"
        yield Finding((*at, "client_cert"), "a certificate and an http URL", wanted)


def _where(url: str) -> str:
    """What tells one endpoint from another: neither the scheme nor the query does."""
    parts = split(url)
    return f"{parts.netloc}{parts.path}".rstrip("/") if parts else url


def check_credentials(
    at: Location, credentials: Credentials, extras: Mapping[str, str] = EXTRAS
) -> Iterator[Finding]:
    """The token, and the library of a cloud."""
    yield from _token((*at, "token"), credentials)
    for extra, module in extras.items():
        if getattr(credentials, extra) is not None and not _installed(module):
            wanted = f"the extra that it needs: pip install '.[{extra}]'"
            yield Finding((*at, extra), extra, wanted)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False


def _token(at: Location, credentials: Credentials) -> Iterator[Finding]:
    token = credentials.token
    if token is not None and usable(token.get_secret_value()) is None:
        yield Finding(
            at, "no such token", "letters and signs without a space, as a header has them"
        )


def _url(at: Location, url: str, dialect: str) -> Iterator[Finding]:
    parts = split(url)
    if parts is None:  # not shown: it could be a token, or hold a password
        yield Finding(at, "no such URL", "https://HOST/.../v1, without a user or password")
    elif dialect == "oip":
        if "/v2/" not in f"{parts.path}/":
            yield Finding(at, None, "a URL that ends in /v2")
    elif _ENDPOINT.match(parts.path) and not _API.search(parts.path):
        yield Finding(at, None, "an endpoint's URL that ends in /v1 (NIM) or /openai/v1 (vLLM)")
    elif parts.path in ("", "/"):
        yield Finding(at, None, "a URL that ends in /v1, or as the provider says")


def _names(manifest: Manifest, around: Surroundings) -> Iterator[Finding]:
    models = around.models
    for index, route in enumerate(manifest.routes):
        yield from _unknown(("routes", index, "routing", "models"), route.routing.models, models)
        yield from _unknown(("routes", index, "guardrails"), route.guardrails, around.policies)
        for key, also in (("canary", route.canary), ("shadow", route.shadow)):
            names = [also.model] if also else ()
            yield from _unknown(("routes", index, key, "model"), names, models)
        yield from _alone(("routes", index, "canary"), manifest, route)
        instead = route.fallback.models if route.fallback else ()
        yield from _unknown(("routes", index, "fallback", "models"), instead, models)
        yield from check_credentials(("routes", index, "credentials"), route.credentials)
    if manifest.judge:
        yield from _unknown(("judge", "model"), [manifest.judge.model], models)
        yield from _unknown(("judge", "prompt"), [manifest.judge.prompt], around.prompts)


def _alone(at: Location, manifest: Manifest, route: Route) -> Iterator[Finding]:
    """A share of the requests is one of something that others have the rest of."""
    canary = route.canary
    if canary and not set(manifest.candidates(route)) - {canary.model}:
        yield Finding(at, "no other candidate", "a model that has the rest of the requests")


def _unknown(
    at: Location, names: Iterable[str] | None, known: tuple[str, ...] | None
) -> Iterator[Finding]:
    for name in names or ():
        if known is not None and name not in known:
            yield Finding(at, name, nearest(name, known))
