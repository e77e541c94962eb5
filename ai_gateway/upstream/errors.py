"""Every way that an upstream fails, as one of ``ai_gateway.errors``.

The caller reads the result, so it says what happened and whose move it is: what the upstream
refused in the request is the caller's (its 4xx and its words pass on), what it refused in the
gateway's credentials is not (a 401 would look like the caller's own key). Its 5xx passes on as it
is; the error's code tells it from a failure of the gateway's own.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from ai_gateway.errors import (
    UpstreamColdStart,
    UpstreamDenied,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from ai_gateway.upstream.address import AddressRefused, NameUnknown
from ai_gateway.waits import longest

#: The header of an error that tells the upstream's own status, as it was.
STATUS = "x-upstream-status"
WORDS = 300  # characters of the upstream's own words that a caller sees
_READ = 20_000  # characters of them that are looked at
_CALLERS = (400, 404, 409, 413, 422)
_CREDENTIALS = (401, 402, 403)
_SERVER = range(500, 600)
#: Full or away; 529 is how Anthropic says that it is overloaded.
_AWAY = (503, 529)

#: How Knative, Envoy and Istio say that nothing is ready behind them, under these statuses and in
#: plain text; a model whose own tools time out says the same in JSON, or under a 500.
_FRONTS = (502, 503, 504)
_STARTING = re.compile(
    r"context deadline exceeded|pending request queue full|no healthy upstream"
    r"|upstream connect error(?!.*connection termination)|activator request timeout",
    re.IGNORECASE,
)
#: What stands in front of a model says so where it has lost its answer, after it passed the
#: request on (RFC 9110, 15.6.3 and 15.6.5).
_LOST = (502, 504)
_RESET = "connection termination"  # Envoy's words for the same
_LATE = "did not finish before the deadline"
#: The names of errors under which a status is known that came as 200, in a stream above all.
_NAMED = {
    "BadRequestError": 400,
    "INVALID_ARGUMENT": 400,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "NotFoundError": 404,
    "not_found_error": 404,
    "request_too_large": 413,
    "RESOURCE_EXHAUSTED": 429,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "throttlingException": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "timeout_error": 504,
    "overloaded_error": 529,
}
#: What they call their own number of a request: OpenAI, Anthropic, Azure, NVIDIA, AWS, Mistral.
_IDS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "nvcf-reqid",
    "x-amzn-requestid",
    "mistral-correlation-id",
)
_ID = re.compile(r"[\w.:/+=@-]{1,200}", re.ASCII)
_RETRY_INFO = re.compile(rb'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_DATE = re.compile(r"[A-Z][a-z]{2}, [\w :]{10,40} GMT")
_LONGEST = 10**9 - 1  # as many digits as anybody's parser takes; later than any deadline
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_FAILURE = re.compile(r"[45]\d\d", re.ASCII)
_HTML = re.compile(r"\s*(<!doctype|<html|<head|<body)", re.IGNORECASE)


def refusal(
    who: str, status: int, headers: Mapping[str, str], body: bytes, token: str | None
) -> UpstreamError:
    """The error for an answer that is none: any status, any body.

    ``who`` begins the sentence (``The model NAME``). ``token`` is the one that was sent; an
    upstream that echoes it does not get it through.
    """
    said = words(headers.get("content-type", ""), body, token)
    quoted = f" It said: {said}" if said else ""
    told = {STATUS: str(status), **upstream_id(request_id(headers))}
    if status == HTTPStatus.FORBIDDEN and _flagged(body):
        status = int(HTTPStatus.BAD_REQUEST)  # as all others say it
    if status in _CALLERS:
        return UpstreamRefused(f"{who} refused the request.{quoted}", status, headers=told)
    if status in _CREDENTIALS:
        message = f"{who} refused the gateway's credentials ({status})."
        return UpstreamDenied(message, headers=told)
    wait = (retry_after(headers) or _delay(body)) | told
    if status in _FRONTS and _STARTING.search(said) and _message(body) is None:
        message = f"{who} is starting, or nothing is behind its address ({status}).{quoted}"
        return UpstreamColdStart(message, headers=wait)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{who} takes no more requests for now.{quoted}"
        return UpstreamRateLimited(message, headers=wait)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        message = f"{who} answered with a redirect ({status}), as a login page does"
        return UpstreamError(f"{message}; it is not followed.", headers=told, may_have_run=False)
    return _failed(who, status, quoted, wait)


def _failed(who: str, status: int, quoted: str, wait: Mapping[str, str]) -> UpstreamError:
    lost = status in _LOST or _RESET in quoted
    # A 408 would tell the caller that his own request came too slowly.
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT):
        message = f"{who} did not answer in time: something before it gave up ({status}).{quoted}"
        return UpstreamTimeout(message, headers=wait, may_have_run=lost)
    if status in _AWAY:
        message = f"{who} is starting, full or away ({status}).{quoted}"
        return UpstreamUnavailable(message, status=status, headers=wait, may_have_run=lost)
    return UpstreamError(
        f"{who} failed ({status}).{quoted}",
        status=status if status in _SERVER else None,
        headers=wait,
        may_have_run=lost,
    )


def _flagged(body: bytes) -> bool:
    """Whether a 403 is for what the input says, of which OpenRouter gives the reasons."""
    with suppress(ValueError):
        match orjson.loads(body):
            case {"error": {"metadata": {"reasons": [_, *_]}}}:
                return True
    return False


def retry_after(headers: Mapping[str, str]) -> dict[str, str]:
    """The upstream's ``Retry-After`` (RFC 9110, 10.2.3) and OpenAI's own in milliseconds.

    A value that is none is left out, a fraction made a whole number; of several the longest counts.
    """
    given = {name: headers.get(name, "").strip() for name in ("retry-after", "retry-after-ms")}
    numbers = {name: longest(value) for name, value in given.items()}
    found = {name: _whole(number) for name, number in numbers.items() if number is not None}
    if _DATE.fullmatch(given["retry-after"]):
        found["retry-after"] = given["retry-after"]
    return found


def _whole(number: float) -> str:
    return str(math.ceil(min(number, _LONGEST)))


def _delay(body: bytes) -> dict[str, str]:
    """The wait that Google names in the body: google.rpc.RetryInfo, ``"retryDelay": "38.5s"``."""
    found = _RETRY_INFO.search(body, 0, _READ)
    return {"retry-after": _whole(float(found[1]))} if found else {}


def request_id(headers: Mapping[str, str]) -> str | None:
    """The upstream's own number of the request, which its operator asks for."""
    found = (headers.get(name, "").strip() for name in _IDS)
    return next((value for value in found if _ID.fullmatch(value)), None)


def upstream_id(found: str | None) -> dict[str, str]:
    """The upstream's own number of the request, as a header for the caller."""
    return {} if found is None else {"x-upstream-request-id": found}


def words(content_type: str, body: bytes, token: str | None) -> str:
    """What the upstream said, safe to repeat: no markup, no control characters, no token, short."""
    text = body.decode("utf-8", "replace")
    if "html" in content_type.lower() or _HTML.match(text):
        return "(an HTML page)"
    said = _message(body)
    return clean(text if said is None else said, token)


def clean(text: str, token: str | None) -> str:
    """``text`` in at most 300 printable characters, without ``token``."""
    printable = (c if c.isprintable() else " " if c.isspace() else "" for c in text[:_READ])
    plain = " ".join("".join(printable).split())
    for secret in {token, quote(token, safe="")} if token else ():
        plain = plain.replace(secret, "[credentials]")
    if token and len(text) > _READ:
        plain = plain[: -len(token)]  # the end may hold the token's first half
    plain = _BEARER.sub(r"\1 [credentials]", plain)
    return plain if len(plain) <= WORDS else f"{plain[: WORDS - 1]}…"


def _message(body: bytes) -> str | None:
    """The message in a JSON error body of any known shape; ``None`` if it is not JSON."""
    try:
        value = orjson.loads(body)
    except ValueError:
        return None
    return _find(value, depth=4)


def _find(value: Any, depth: int) -> str:
    """The words in ``value``: OpenAI, vLLM (flat and nested), KServe, FastAPI, AWS, and others."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_find(item, depth - 1) for item in value[:3])))
    if not isinstance(value, dict) or not depth:
        return ""
    for key in ("error", "message", "Message", "detail", "msg", "title"):
        if found := _find(value.get(key), depth - 1):
            return found
    return ""


def code(body: Mapping[str, Any]) -> int | None:
    """The HTTP status inside an error body that came under status 200; ``None`` if it is no error.

    An error without a usable code or known name counts as 500.
    """
    error = body.get("error")
    if not error and body.get("object") != "error" and body.get("type") != "error":
        return None
    holders = [holder for holder in (error, body) if isinstance(holder, dict)]
    given = [holder.get(key) for holder in holders for key in ("code", "status", "type")]
    words = [str(value) for value in given if isinstance(value, (int, str))]
    numbers = (int(word) for word in words if _FAILURE.fullmatch(word))
    names = (_NAMED[word] for word in words if word in _NAMED)
    return next(numbers, None) or next(names, int(HTTPStatus.INTERNAL_SERVER_ERROR))


def unlisted(value: Any) -> Any:
    """``value``, or the error body in it: Google's come as a list of one."""
    match value:
        case [{"error": _} as body]:
            return body
    return value


def failure(who: str, error: httpx.TransportError, *, late: bool, answering: bool) -> UpstreamError:
    """The error for an exchange that broke.

    ``late``: the deadline for the whole is past. ``answering``: the head of the answer had come.
    """
    if isinstance(error, httpx.PoolTimeout):
        return UpstreamUnavailable(
            f"{who} was not asked: all its connections stayed busy until the deadline."
        )
    if isinstance(error, httpx.ConnectTimeout):
        said = _LATE if late else "could not be connected to in time"
        return UpstreamUnreachable(f"{who} {said}.", HTTPStatus.GATEWAY_TIMEOUT)
    if isinstance(error, httpx.TimeoutException):
        silent = "fell silent in its answer" if answering else "sent no first byte in time"
        return UpstreamTimeout(f"{who} {_LATE if late else silent}.")
    if isinstance(error, httpx.ConnectError):
        return _unconnected(who, error)
    if isinstance(error, httpx.ProxyError):
        said = "cannot be reached: the forward proxy refused the connection"
        return UpstreamUnreachable(f"{who} {said}.", HTTPStatus.BAD_GATEWAY)
    return UpstreamError(f"{who} {_broken(error, answering=answering)}.")


def _broken(error: httpx.TransportError, *, answering: bool) -> str:
    if answering:
        return "ended early: its answer was cut short"
    if isinstance(error, httpx.NetworkError) or "disconnected" in str(error):
        return "closed the connection without an answer"
    return "answered something that is not HTTP"


def _unconnected(who: str, error: httpx.ConnectError) -> UpstreamUnreachable:
    """503 where another try may help, 502 where an operator must."""
    for cause in _causes(error):
        if isinstance(cause, AddressRefused):
            return _barred(f"{who} may not be connected to: {cause}.")
        if isinstance(cause, (NameUnknown, socket.gaierror)):
            return UpstreamUnreachable(f"{who} cannot be reached: its host's name is unknown.")
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = clean(cause.verify_message, None)
            return _barred(f"{who} showed a certificate that does not hold: {reason}.")
        if isinstance(cause, ssl.SSLError):
            return _barred(f"{who} failed in its TLS handshake.")
        if isinstance(cause, ConnectionRefusedError):
            return UpstreamUnreachable(f"{who} cannot be reached: the connection was refused.")
    return UpstreamUnreachable(f"{who} cannot be reached: there is no connection to its host.")


def _barred(message: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(message, HTTPStatus.BAD_GATEWAY)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
