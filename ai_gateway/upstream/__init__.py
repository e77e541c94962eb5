"""Upstreams: the one package that speaks HTTP to model endpoints and proxied targets.

A call goes through it top to bottom: ``request`` writes it, ``credentials`` adds the token,
``exchange`` sends it through ``pool``, ``http11`` and ``wire`` (which ``cancel`` ends, and which
connects where ``address`` lets it), ``inflate`` unpacks what comes, ``answer`` reads it whole or
``stream`` event by event (which ``sse`` takes apart, and of whose characters ``halves`` makes whole
ones), and ``errors`` says what went wrong. What receivers of webhooks are told is a ``notice``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamError
from ai_gateway.formats import File
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.manifest.model import Model, Timeout
from ai_gateway.upstream import address, answer, anthropic, errors, notice, oip, relay, request
from ai_gateway.upstream.binary import Binary
from ai_gateway.upstream.cancel import NEVER, Cancel, Hold
from ai_gateway.upstream.credentials import Wallet
from ai_gateway.upstream.endpoint import Endpoint, Place, Transports, parsed
from ai_gateway.upstream.exchange import Call, Incoming, RawReply, sent
from ai_gateway.upstream.notice import Notice
from ai_gateway.upstream.relay import ProxyRequest
from ai_gateway.upstream.stream import Event, Says, Stream
from ai_gateway.upstream.surroundings import Surroundings

__all__ = [
    "Cancel",
    "Event",
    "Notice",
    "ProxyRequest",
    "RawReply",
    "Reply",
    "Stream",
    "Upstreams",
]

MAX_RESPONSE = 32_000_000  # bytes, before and after decoding
MAX_STREAM = 256_000_000  # the same of a stream
IDLE = 60.0  # seconds that a connection is kept without use
_MODELS = 1000  # of which the endpoints are remembered

_UNAUTHORIZED = int(HTTPStatus.UNAUTHORIZED)
_STATUSES = range(200, 600)  # of a whole answer (RFC 9110, 15)

_BINARY = "/audio/"  # paths below it may answer with something else than JSON


class Reply(NamedTuple):
    """A model's answer; times in milliseconds since the call began, the wait for a connection too.

    ``body`` is the JSON object that came, or the bytes of another type below ``/audio/``;
    ``headers`` are as the upstream sent them, their names in lower case.
    """

    status: int
    body: dict[str, Any] | bytes
    headers: Mapping[str, str]
    first_byte_ms: float
    latency_ms: float
    simulated: bool

    @property
    def request_id(self) -> str | None:
        """The upstream's own number of the request."""
        return errors.request_id(self.headers)


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
        max_stream: The same of a stream.
        idle: Seconds that a connection is kept without use.
    """

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str],
        *,
        resolve: address.Resolve = address.system,
        max_response: int = MAX_RESPONSE,
        max_stream: int = MAX_STREAM,
        idle: float = IDLE,
    ) -> None:
        self._clock = clock
        self._max_response = max_response
        self._max_stream = max_stream
        self._wallet = Wallet(clock)
        self._transports = Transports(clock, Surroundings(environment), resolve, idle)
        #: By the model's identity; the model itself is held, so that the identity stays its own.
        self._endpoints: dict[int, tuple[Model, Endpoint]] = {}

    def send(
        self,
        model: Model,
        path: str,
        body: Mapping[str, Any],
        deadline: float,
        *,
        files: Sequence[File] = (),
        cancel: Cancel = NEVER,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """The answer of ``model`` to ``body`` on ``path`` of its API, not streamed.

        It ends by ``deadline``, and by the model's own ``timeout.whole``. It is sent under
        the endpoint's own name of the model and within its limit of tokens, as a form if there are
        ``files``.
        ``headers`` are the caller's, of which those that are the gateway's business are left out.

        Raises the UpstreamError family for any status but success, an error body under one, and
        no JSON object where one is due (everywhere but below ``/audio/``); CallerLeft within a
        second of ``cancel``; BadRequest for a header that cannot be passed on. Each message is safe
        for the caller.
        """
        endpoint = self._endpoint(model)
        json_due = not path.startswith(_BINARY)
        data, kind = request.written(model, path, body, files)
        call = Call(
            method="POST",
            url=endpoint.below(path),
            headers=request.headers(
                model, kind, "application/json" if json_due else "*/*", headers
            ),
            body=data,
            started=self._clock.monotonic(),
            deadline=self._by(model, deadline),
            hold=Hold(cancel),
        )
        incoming, token = self._ask(endpoint, call)
        raw = incoming.whole(self._max_response)
        return Reply(
            status=raw.status,
            headers=raw.headers,
            body=answer.checked(endpoint.who, raw, token, json_due=json_due),
            first_byte_ms=raw.first_byte_ms,
            latency_ms=raw.latency_ms,
            simulated=raw.headers.get("x-gateway-simulated") == "true",
        )

    def stream(
        self,
        model: Model,
        path: str,
        body: Mapping[str, Any],
        deadline: float,
        *,
        files: Sequence[File] = (),
        cancel: Cancel = NEVER,
        headers: Sequence[tuple[str, str]] = (),
        says: Says = bool,
    ) -> Stream:
        """The answer of ``model`` to ``body`` on ``path``, event by event; to be closed.

        Its first event that ``says`` something is here when this returns, so that until then
        another model can be asked: everything that ``send`` raises is raised here, and for an
        answer that is not streamed or says nothing an UpstreamError. It is not waited for beyond
        ``timeout.first_byte`` while other events come. On the paths of chat and completions the
        usage is asked for, whether the caller did (``Stream.usage_asked``) or not.
        """
        written = request.written(model, path, body, files, stream=True)
        incoming, token = self._opened(
            model, path, deadline, written=written, cancel=cancel, headers=headers
        )
        return Stream(
            incoming,
            token,
            self._max_stream,
            usage_asked=request.asks_usage(body),
            says=says,
            patience=model.timeout.first_byte,
        )

    def binary(
        self,
        model: Model,
        path: str,
        body: Mapping[str, Any],
        deadline: float,
        *,
        cancel: Cancel = NEVER,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Binary:
        """The answer of ``model`` to ``body`` on ``path``, its bytes as they come; to be closed.

        As ``stream``: the first bytes are here when this returns. JSON and HTML are no such answer.
        """
        written = request.written(model, path, body)
        incoming, token = self._opened(
            model,
            path,
            deadline,
            written=written,
            cancel=cancel,
            accept="*/*",
            headers=headers,
        )
        return Binary(incoming, token, self._max_stream)

    def _opened(
        self,
        model: Model,
        path: str,
        deadline: float,
        *,
        written: tuple[bytes, str],
        cancel: Cancel,
        accept: str = "text/event-stream",
        headers: Sequence[tuple[str, str]] = (),
    ) -> tuple[Incoming, str | None]:
        """An answer whose body is yet to come, and the token that was sent."""
        endpoint = self._endpoint(model)
        data, kind = written
        call = Call(
            method="POST",
            url=endpoint.below(path),
            headers=request.headers(model, kind, accept, headers),
            body=data,
            started=self._clock.monotonic(),
            deadline=self._by(model, deadline),
            stall=model.timeout.silence,
            hold=Hold(cancel),
        )
        incoming, token = self._ask(endpoint, call)
        if incoming.status not in answer.SUCCESS:
            raw = incoming.whole(self._max_response)
            raise errors.refusal(endpoint.who, raw.status, raw.headers, raw.body, token)
        return incoming, token

    def relay(self, given: ProxyRequest, deadline: float, *, cancel: Cancel = NEVER) -> RawReply:
        """The answer of a fixed target, whatever its status.

        Raises BadRequest for a path or header that is not passed on, the UpstreamError family
        where there is no answer, and CallerLeft.
        """
        endpoint = self._target(given)
        call = Call(
            method=given.method,
            url=relay.url(given, endpoint.url),
            headers=relay.outgoing(given.headers, given.credentials.header),
            body=given.body,
            deadline=deadline,
            started=self._clock.monotonic(),
            repeatable=given.repeatable,
            hold=Hold(cancel),
        )
        incoming, _ = self._ask(endpoint, call)
        raw = incoming.whole(self._max_response)
        if raw.status not in _STATUSES:
            raise UpstreamError(f"{endpoint.who} answered with the status {raw.status}.")
        return raw._replace(headers=relay.incoming(raw.headers))

    def notify(self, given: Notice, *, cancel: Cancel = NEVER) -> tuple[int, Mapping[str, str]]:
        """The status and headers that a receiver of webhooks answers ``given`` with.

        It may get it twice, should a kept connection turn out to be dead. Raises the UpstreamError
        family where there is no answer, and CallerLeft.
        """
        who = f"The receiver of {given.name}"
        url = notice.checked(who, parsed(who, given.url), given.allowed_hosts)
        place = Place(
            who,
            url,
            given.max_connections,
            ca_file=given.ca_file,
            allowed=given.allowed_hosts,
            internet=True,
        )
        endpoint = self._reached(place, Credentials(), given.limits, None)
        started = self._clock.monotonic()
        call = Call(
            method="POST",
            url=url,
            headers=given.fields,
            body=given.body,
            started=started,
            deadline=started + given.timeout,
            hold=Hold(cancel),
        )
        incoming, _ = self._ask(endpoint, call)
        notice.discard(incoming)
        return incoming.status, incoming.headers

    def close(self) -> None:
        """Close every connection; those in use close when their answer ends."""
        self._transports.close()

    def _by(self, model: Model, deadline: float) -> float:
        return min(deadline, self._clock.monotonic() + model.timeout.whole)

    def _ask(self, endpoint: Endpoint, call: Call) -> tuple[Incoming, str | None]:
        """The answer, and the token that was sent; once more with a fresh token after a 401."""
        self._transports.sweep()
        credential = endpoint.credential
        token = credential.token()
        incoming = sent(endpoint, call, token, self._clock)
        if incoming.status == _UNAUTHORIZED and credential.renewable:
            incoming.whole(self._max_response)
            credential.renew()
            token = credential.token()
            incoming = sent(endpoint, call, token, self._clock)
        return incoming, token

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
        url = parsed(who, model.url)
        if model.dialect == "oip":
            url = oip.url(url, model.model_id)
        client = (model.client_cert, model.client_key) if model.client_cert else None
        place = Place(who, url, model.max_connections, model.ca_file, client=client)
        spec = model.credentials
        named = spec.header or (anthropic.KEY_HEADER if model.dialect == "anthropic" else None)
        return self._reached(place, spec, _limits(model.timeout), named)

    def _target(self, request: ProxyRequest) -> Endpoint:
        who = f"The target {request.name}"
        place = Place(
            who,
            parsed(who, request.target),
            request.max_connections,
            allowed=request.allowed_hosts,
        )
        spec = request.credentials
        return self._reached(place, spec, _limits(request.timeout), spec.header)

    def _reached(
        self,
        place: Place,
        spec: Credentials,
        limits: Mapping[str, float],
        key_header: str | None,
    ) -> Endpoint:
        return Endpoint(
            who=place.who,
            url=place.url,
            transport=self._transports.transport(place),
            credential=self._wallet.credential(place.who, spec),
            headers=((b"host", place.url.netloc), (b"accept-encoding", b"identity")),
            key_header=_named(key_header),
            timeout=limits,
        )


def _limits(timeout: Timeout) -> dict[str, float]:
    """Seconds to connect and to the first byte, under httpx's names for them."""
    return {"connect": timeout.connect, "read": timeout.first_byte}


def _named(key_header: str | None) -> bytes | None:
    """The header that takes the token as it is; a bearer's has a word before it."""
    return None if key_header in (None, "authorization") else key_header.encode("ascii")
