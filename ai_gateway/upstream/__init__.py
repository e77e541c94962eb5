"""Upstreams: the one package that speaks HTTP to model endpoints and proxied targets.

A call goes through it top to bottom: ``openai`` writes the request, ``credentials`` adds the
token, ``exchange`` sends it through ``pool`` and ``wire`` (whose connections ``address`` checks),
``openai`` reads the answer, and ``errors`` says what went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.model import Credentials, Model, Timeout
from ai_gateway.upstream import address, openai, relay
from ai_gateway.upstream.credentials import Wallet
from ai_gateway.upstream.endpoint import Endpoint, Place, Transports, parsed
from ai_gateway.upstream.exchange import Call, RawReply, decoded, exchange
from ai_gateway.upstream.relay import ProxyRequest
from ai_gateway.upstream.surroundings import Surroundings

__all__ = ["ProxyRequest", "RawReply", "UpstreamReply", "Upstreams"]

MAX_RESPONSE = 32_000_000  # bytes, before and after decoding
IDLE = 60.0  # seconds that a connection is kept without use
_MODELS = 1000  # of which the endpoints are remembered

_STATUSES = range(200, 600)  # of a whole answer (RFC 9110, 15)

_FIXED = (
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"ai-gateway"),
)


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """A model's answer; times in milliseconds since the call began, the wait for a connection too.

    ``headers`` are as the upstream sent them; their names are looked up in any case.
    """

    status: int
    body: dict[str, Any]
    text: str
    finish_reason: str | None
    usage: dict[str, Any] | None
    headers: Mapping[str, str]
    first_byte_ms: float
    latency_ms: float
    simulated: bool


class Upstreams:
    """The way to every model and target. It outlives reloads and may be used by many threads.

    Connections are shared by all that have an origin, a CA file and a bound in common; credentials
    by all that declare the same.

    Args:
        clock: Whose monotonic time deadlines are in.
        environment: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``,
            ``REQUESTS_CA_BUNDLE`` and ``SSL_CERT_FILE``.
        resolve: Host and port to addresses.
        max_response: Bytes of a response that are read.
        idle: Seconds that a connection is kept without use.
    """

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str],
        *,
        resolve: address.Resolve = address.system,
        max_response: int = MAX_RESPONSE,
        idle: float = IDLE,
    ) -> None:
        self._clock = clock
        self._max_response = max_response
        self._wallet = Wallet(clock)
        self._transports = Transports(clock, Surroundings(environment), resolve, idle)
        #: By the model's identity; the model itself is held, so that the identity stays its own.
        self._endpoints: dict[int, tuple[Model, Endpoint]] = {}

    def complete(self, model: Model, body: Mapping[str, Any], deadline: float) -> UpstreamReply:
        """The answer of ``model`` to a chat-completions ``body``, not streamed.

        It ends by ``deadline``, and by the model's own ``timeout.whole``. Raises the UpstreamError
        family only; each message is safe for the caller.
        """
        started = self._clock.monotonic()
        endpoint = self._endpoint(model)
        call = Call(
            method="POST",
            url=endpoint.url,
            headers=endpoint.headers,
            body=openai.request(model, body),
            deadline=min(deadline, started + model.timeout.whole),
            started=started,
        )
        raw, token = self._ask(endpoint, call)
        found = openai.completion(
            endpoint.who, raw, decoded(raw, endpoint.who, self._max_response), token
        )
        return UpstreamReply(
            status=raw.status,
            body=found.body,
            text=found.text,
            finish_reason=found.finish_reason,
            usage=found.usage,
            headers=raw.headers,
            first_byte_ms=raw.first_byte_ms,
            latency_ms=raw.latency_ms,
            simulated=raw.headers.get("x-gateway-simulated") == "true",
        )

    def relay(self, request: ProxyRequest, deadline: float) -> RawReply:
        """The answer of a fixed target, whatever its status.

        Raises BadRequest for a path or header that is not passed on, and the UpstreamError family
        where there is no answer.
        """
        started = self._clock.monotonic()
        endpoint = self._target(request)
        call = Call(
            method=request.method,
            url=relay.url(request, endpoint.url),
            headers=(*endpoint.headers, *relay.outgoing(request.headers)),
            body=request.body,
            deadline=deadline,
            started=started,
            repeatable=request.repeatable,
        )
        raw, _ = self._ask(endpoint, call)
        if raw.status not in _STATUSES:
            raise UpstreamError(f"{endpoint.who} answered with the status {raw.status}.")
        body = decoded(raw, endpoint.who, self._max_response)
        return replace(raw, headers=relay.incoming(raw.headers), body=body)

    def close(self) -> None:
        """Close every connection; those in use close when their answer ends."""
        self._transports.close()

    def _ask(self, endpoint: Endpoint, call: Call) -> tuple[RawReply, str | None]:
        """The answer, and the token that was sent; once more with a fresh token after a 401."""
        self._transports.sweep()
        credential = endpoint.credential
        token = credential.token()
        raw = exchange(endpoint, call, token, self._clock, self._max_response)
        if raw.status == HTTPStatus.UNAUTHORIZED and credential.renewable:
            credential.renew()
            token = credential.token()
            raw = exchange(endpoint, call, token, self._clock, self._max_response)
        return raw, token

    def _endpoint(self, model: Model) -> Endpoint:
        known = self._endpoints.get(id(model))
        if known is not None:
            return known[1]
        if len(self._endpoints) >= _MODELS:
            self._endpoints.clear()
        endpoint = self._model(model)
        self._endpoints[id(model)] = model, endpoint
        return endpoint

    def _model(self, model: Model) -> Endpoint:
        who = f"The model {model.model_id}"
        place = Place(who, parsed(who, model.url), model.max_connections, model.ca_file)
        endpoint = self._reached(place, model.credentials, model.timeout)
        return replace(endpoint, url=openai.url(place.url), headers=endpoint.headers + _FIXED)

    def _target(self, request: ProxyRequest) -> Endpoint:
        who = f"The target {request.name}"
        place = Place(
            who,
            parsed(who, request.target),
            request.max_connections,
            allowed=request.allowed_hosts,
        )
        return self._reached(place, request.credentials, request.timeout)

    def _reached(self, place: Place, spec: Credentials, timeout: Timeout) -> Endpoint:
        return Endpoint(
            who=place.who,
            url=place.url,
            transport=self._transports.transport(place),
            credential=self._wallet.credential(place.who, spec),
            headers=((b"host", place.url.netloc), (b"accept-encoding", b"identity")),
            timeout={"connect": timeout.connect, "read": timeout.first_byte},
        )
