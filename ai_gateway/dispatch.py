"""What is done for every route, in order: authenticate, allow, limit, call, turn errors, count.

It knows no web framework: an Event goes in, a Response comes out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pydantic

from ai_gateway import strictjson
from ai_gateway.access.allowed import allow
from ai_gateway.contract import ANONYMOUS, Event, Handler, Reply
from ai_gateway.errors import GatewayError, MethodNotAllowed, NotFound, internal_error
from ai_gateway.ids import new_id
from ai_gateway.limits.gate import check_size
from ai_gateway.manifest.model import Route
from ai_gateway.problems import SHAPES, ids
from ai_gateway.telemetry import access
from ai_gateway.telemetry.current import CURRENT, Request, Watched

if TYPE_CHECKING:
    from ai_gateway.answer.record import Decision
    from ai_gateway.hosting import Refusal
    from ai_gateway.service import Snapshot

log = logging.getLogger(__name__)

#: What a request is counted under that met no route.
NOWHERE = Route(path="/", name="none")
_JSON = {"content-type": "application/json"}


class Response(NamedTuple):
    """What goes over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes]
    #: At most so many seconds pass in silence once a stream has begun: then these bytes are sent.
    heartbeat: tuple[float, bytes] | None = None


def dispatch(event: Event, handler: Handler, snapshot: Snapshot) -> Response:
    """The response to ``event``; never raises."""
    request = _begin(event, snapshot)
    event = request.event
    try:
        caller = snapshot.identity.caller(event.route, event.method, event.headers)
        if caller is not event.caller:
            event = event.of(caller)
        allow(event.route, caller)
        _limit(event, snapshot)
        reply = handler(event, snapshot.context)
        snapshot.gateway.gate.leave(event)
        response = render(reply, snapshot.bundle.manifest.heartbeat)
    except GatewayError as error:
        response = _refused(event, snapshot.gateway.gate.instead(event, error), snapshot)
    except Exception:
        log.exception("request %s failed", event.request_id)
        failure = snapshot.gateway.gate.instead(event, internal_error(event.request_id))
        response = _refused(event, failure, snapshot)
    request.event = event
    _count(event, response, snapshot)
    response = _watched(request, response, snapshot)
    limits = snapshot.gateway.gate.headers(event, snapshot.context.clock.now())
    return _signed(response, event.request_id, event.route.errors, limits)


def _begin(event: Event, snapshot: Snapshot) -> Request:
    """From here on log lines of this thread are of ``event``."""
    if snapshot.tracing is not None:
        event = replace(event, trace=snapshot.tracing.request(event))
    request = Request(event)
    CURRENT.set(request)
    snapshot.context.metrics.running.add(event.request_id)
    return request


def _watched(request: Request, response: Response, snapshot: Snapshot) -> Response:
    """``response``, whose request is over now, or with its stream."""
    if isinstance(response.body, bytes):
        _over(request, response.status, snapshot)
        return response
    over = partial(_over, request, response.status, snapshot)
    return response._replace(body=Watched(response.body, over))


def _over(request: Request, status: int, snapshot: Snapshot) -> None:
    """Tell of a request that is over; a stream that broke has another status than it began with."""
    event, decision, clock = request.event, request.decision, snapshot.context.clock
    snapshot.context.metrics.running.discard(event.request_id)
    if decision is not None and decision.streamed:
        status = decision.status
    _tell(event, status, snapshot, decision)
    if event.trace is not None:
        event.trace.end(status, clock.now(), decision)
    CURRENT.set(None)


def _tell(event: Event, status: int, snapshot: Snapshot, decision: Decision | None = None) -> None:
    access.tell(
        request_id=event.request_id,
        route=event.route.name,
        method=event.method,
        status=status,
        seconds=snapshot.context.clock.monotonic() - event.started,
        caller=event.caller,
        decision=decision,
    )


def refused_early(snapshot: Snapshot, refusal: Refusal) -> None:
    """Count and record a request that the server refused before any function saw it."""
    routes = snapshot.bundle.manifest.routes
    route = next((route for route in routes if route.path == refusal.path), NOWHERE)
    clock = snapshot.context.clock
    event = Event(
        request_id=refusal.request_id,
        route=route,
        method=refusal.method,
        path=refusal.path,
        received_at=clock.now(),
        started=clock.monotonic(),
    )
    snapshot.gateway.refuse(event, refusal.error)
    _count(event, problem(refusal.error), snapshot)
    _tell(event, refusal.error.status, snapshot)


def no_route(method: str, path: str, allowed: Iterable[str] | None, snapshot: Snapshot) -> Response:
    """The response where no route takes ``method`` on ``path``; ``allowed`` says which it takes."""
    error: GatewayError = NotFound(f"There is no route {path[:200]}.")
    if allowed:
        methods = ", ".join(sorted(allowed))
        error = MethodNotAllowed(
            f"{path[:200]} takes {methods}, not {method}.", headers={"allow": methods}
        )
    shape = snapshot.shape(path)
    return unhandled(problem(error, shape), method, NOWHERE, snapshot, shape)


def unhandled(
    response: Response, method: str, route: Route, snapshot: Snapshot, shape: str = "openai"
) -> Response:
    """``response``, which no function gave, counted and told."""
    request_id = new_id(snapshot.context.clock, snapshot.context.random)
    snapshot.context.metrics.requests.labels(route.name, str(response.status)).inc()
    access.tell(
        request_id=request_id,
        route=route.name,
        method=method,
        status=response.status,
        seconds=0.0,
        caller=ANONYMOUS,
    )
    return _signed(response, request_id, shape, {})


def _signed(response: Response, request_id: str, shape: str, limits: Mapping[str, str]) -> Response:
    headers = {**response.headers, **limits, **dict(ids(request_id, shape))}
    return response._replace(headers=headers)


def _limit(event: Event, snapshot: Snapshot) -> None:
    snapshot.gateway.gate.arrive(event)
    check_size(event.body, event.route)


def _refused(event: Event, error: GatewayError, snapshot: Snapshot) -> Response:
    recorded = error.recorded
    if not recorded:
        snapshot.gateway.refuse(event, error)
    # Nobody foresaw it; what an upstream did is in the record.
    if type(error) is GatewayError and (recorded or error.__cause__):
        log.error("request %s failed", event.request_id, exc_info=error.__cause__)
    return problem(error, event.route.errors)


def _count(event: Event, response: Response, snapshot: Snapshot) -> None:
    seconds = snapshot.context.clock.monotonic() - event.started
    snapshot.context.metrics.answered(event.route.name, response.status, seconds)


def render(reply: Reply, silence: float) -> Response:
    """A function's Reply as bytes; a stream is silent for ``silence`` seconds, 0 is for ever."""
    body = reply.body
    if isinstance(body, bytes):
        return Response(reply.status, reply.headers, body)
    if not isinstance(body, dict) and isinstance(body, pydantic.BaseModel):
        body = body.model_dump(mode="json", by_alias=True)
    # A dict is told at a third of the price of any Mapping.
    if isinstance(body, (dict, Mapping)):
        return Response(reply.status, {**_JSON, **reply.headers}, strictjson.dumps(body))
    heartbeat = (silence, reply.heartbeat) if silence and reply.heartbeat else None
    return Response(reply.status, reply.headers, body, heartbeat)


def problem(error: GatewayError, shape: str = "openai") -> Response:
    """An error in the shape that the route's callers read."""
    headers = {**_JSON, **error.headers}
    return Response(error.status, headers, strictjson.dumps(SHAPES[shape](error)))
