"""Every way that an upstream fails, as one of ``ai_gateway.errors``.

The caller reads the result, so it says what happened and whose move it is: what the upstream
refused in the request is the caller's (its 4xx and its words pass on), what it refused in the
gateway's credentials is not (a 401 would look like the caller's own key).
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from ai_gateway.errors import (
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ai_gateway.upstream.address import AddressRefused, NameUnknown

WORDS = 300  # characters of the upstream's own words that a caller sees
_READ = 20_000  # characters of them that are looked at
_CALLERS = (400, 404, 413, 422)
_CREDENTIALS = (401, 402, 403)

#: How Knative, Envoy and Istio say that nothing is ready behind them; their bodies are plain text.
_STARTING = re.compile(
    r"context deadline exceeded|pending request queue full|no healthy upstream"
    r"|upstream connect error|activator request timeout",
    re.IGNORECASE,
)
_RETRY_AFTER = re.compile(r"\d{1,9}|[A-Z][a-z]{2}, [\w :]{10,40} GMT")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
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
    if status in _CALLERS:
        return UpstreamRefused(f"{who} refused the request.{quoted}", status)
    if status in _CREDENTIALS:
        return UpstreamError(f"{who} refused the gateway's credentials ({status}).")
    wait = retry_after(headers)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{who} takes no more requests for now.{quoted}"
        return UpstreamRateLimited(message, headers=wait)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return UpstreamError(
            f"{who} answered with a redirect ({status}), as a login page does; it is not followed."
        )
    return _failed(who, status, quoted, wait)


def _failed(who: str, status: int, quoted: str, wait: Mapping[str, str]) -> UpstreamError:
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT):
        message = f"{who} did not answer in time: something before it gave up ({status}).{quoted}"
        return UpstreamTimeout(message, headers=wait)
    # 529 is how Anthropic says that it is overloaded.
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, 529) or _STARTING.search(quoted):
        message = f"{who} is starting, full or away ({status}).{quoted}"
        return UpstreamUnavailable(message, headers=wait)
    return UpstreamError(f"{who} failed ({status}).{quoted}", headers=wait)


def retry_after(headers: Mapping[str, str]) -> dict[str, str]:
    """The upstream's ``Retry-After`` (RFC 9110, 10.2.3), if it is one."""
    value = headers.get("retry-after", "").strip()
    return {"retry-after": value} if _RETRY_AFTER.fullmatch(value) else {}


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
    """The words in ``value``: OpenAI, vLLM (flat and nested), KServe, FastAPI, problem details."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_find(item, depth - 1) for item in value[:3])))
    if not isinstance(value, dict) or not depth:
        return ""
    for key in ("error", "message", "detail", "msg", "title"):
        if found := _find(value.get(key), depth - 1):
            return found
    return ""


def code(body: Mapping[str, Any]) -> int | None:
    """The HTTP status inside an error body that came under status 200; ``None`` if it is no error.

    An error without a usable code counts as 500.
    """
    error = body.get("error")
    if not error and body.get("object") != "error":
        return None
    for holder in (error, body):
        given = holder.get("code") if isinstance(holder, dict) else None
        if isinstance(given, (int, str)) and re.fullmatch(r"[45]\d\d", str(given)):
            return int(given)
    return int(HTTPStatus.INTERNAL_SERVER_ERROR)


def failure(who: str, error: httpx.TransportError, *, late: bool, answering: bool) -> UpstreamError:
    """The error for an exchange that broke.

    ``late``: the deadline for the whole is past. ``answering``: the head of the answer had come.
    """
    if isinstance(error, httpx.PoolTimeout):
        return UpstreamUnavailable(
            f"{who} was not asked: all its connections stayed busy until the deadline."
        )
    if isinstance(error, httpx.TimeoutException):
        return UpstreamTimeout(f"{who} {_timeout(error, late=late)}.")
    if isinstance(error, httpx.ConnectError):
        return _unconnected(who, error)
    return UpstreamError(f"{who} {_broken(error, answering=answering)}.")


def _broken(error: httpx.TransportError, *, answering: bool) -> str:
    if isinstance(error, httpx.ProxyError):
        return "cannot be reached: the forward proxy refused the connection"
    if answering:
        return "cut its answer short"
    if isinstance(error, httpx.NetworkError) or "disconnected" in str(error):
        return "closed the connection without an answer"
    return "answered something that is not HTTP"


def _timeout(error: httpx.TimeoutException, *, late: bool) -> str:
    if late:
        return "did not finish before the deadline"
    if isinstance(error, httpx.ConnectTimeout):
        return "could not be connected to in time"
    return "sent no first byte in time"


def _unconnected(who: str, error: httpx.ConnectError) -> UpstreamError:
    for cause in _causes(error):
        if isinstance(cause, AddressRefused):
            return UpstreamError(f"{who} may not be connected to: {cause}.")
        if isinstance(cause, (NameUnknown, socket.gaierror)):
            return UpstreamUnavailable(f"{who} cannot be reached: its host's name is unknown.")
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = clean(cause.verify_message, None)
            return UpstreamError(f"{who} showed a certificate that does not hold: {reason}.")
        if isinstance(cause, ssl.SSLError):
            return UpstreamError(f"{who} failed in its TLS handshake.")
        if isinstance(cause, ConnectionRefusedError):
            return UpstreamUnavailable(f"{who} cannot be reached: the connection was refused.")
    return UpstreamUnavailable(f"{who} cannot be reached: there is no connection to its host.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
