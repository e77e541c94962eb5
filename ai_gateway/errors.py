"""One class per cause of a refusal or failure.

    GatewayError
    ├── BadRequest 400 ── InvalidJSON, TooDeep, LengthMismatch, UnknownModel (404), InvalidBundle
    ├── Unauthenticated 401 ── InvalidToken
    ├── Forbidden 403 ── PolicyViolation
    ├── NotFound 404, MethodNotAllowed 405, BodyTimeout 408, TooLarge 413, CallerLeft 499
    ├── Conflict 409, PreconditionFailed 412, UnsupportedMediaType 415, PreconditionRequired 428
    ├── RateLimited 429 ── BudgetExceeded
    ├── LimitsUnavailable 503
    ├── GuardrailUnavailable 503, IssuerUnavailable 503, StoreAway 503
    └── UpstreamError 502, or the upstream's own 5xx ── UpstreamUnavailable 503 or 529,
            UpstreamColdStart 503, UpstreamUnreachable (502 to 504), UpstreamTimeout 504,
            UpstreamRateLimited 429, UpstreamDenied 502, UpstreamRefused (its own)

A message is safe for the caller: it holds what the caller sent or did, never a secret, an address
or an exception's text. Only the runner turns an error into a response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class GatewayError(Exception):
    """A refusal or failure that the caller is told about."""

    status: int = 500
    code: ClassVar[str] = "internal_error"
    type: str = "server_error"

    def __init__(
        self, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = dict(headers or {})
        #: True once a decision record holds this outcome, so that it is written once.
        self.recorded = False

    def details(self) -> dict[str, str | None]:
        """What the caller is told, by OpenAI's names."""
        return {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }


class BadRequest(GatewayError):
    """The request is not what the function takes."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class InvalidJSON(BadRequest):
    """The body is not JSON, or JSON that two parsers could read differently."""

    code = "invalid_json"


class TooDeep(BadRequest):
    """The body nests deeper than the gateway reads."""

    code = "too_deep"


class LengthMismatch(BadRequest):
    """The body is not as long as its Content-Length said."""

    code = "length_mismatch"


class UnknownModel(BadRequest):
    """No model of that name is served on this route."""

    status = 404
    code = "model_not_found"


class InvalidBundle(BadRequest):
    """The bundle would not check, or does not; the message has a line for each problem."""

    code = "invalid_bundle"


class Conflict(GatewayError):
    """What is there already, or another's change, stands in the way."""

    status = 409
    code = "conflict"
    type = "invalid_request_error"


class PreconditionFailed(GatewayError):
    """What is there is no longer what the caller has seen."""

    status = 412
    code = "precondition_failed"
    type = "invalid_request_error"


class UnsupportedMediaType(GatewayError):
    """The body is not said to be JSON."""

    status = 415
    code = "unsupported_media_type"
    type = "invalid_request_error"


class PreconditionRequired(GatewayError):
    """The change needs to say which version it is of (RFC 6585, 3)."""

    status = 428
    code = "precondition_required"
    type = "invalid_request_error"


class Unauthenticated(GatewayError):
    """No credential that this route accepts, or a wrong one."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"www-authenticate": 'Bearer realm="ai-gateway"'})


class InvalidToken(Unauthenticated):
    """A bearer token that is none of a known issuer's, or no longer good."""

    code = "invalid_token"

    def __init__(self) -> None:
        super().__init__("The bearer token is not one that this gateway accepts.")
        self.headers = {"www-authenticate": 'Bearer error="invalid_token"'}  # RFC 6750, 3.1


class Forbidden(GatewayError):
    """Known, but not allowed."""

    status = 403
    code = "forbidden"
    type = "permission_error"


class PolicyViolation(Forbidden):
    """A guardrail policy refused the text."""

    code = "policy_violation"
    type = "policy_violation"


class GuardrailUnavailable(GatewayError):
    """A guardrail check could not be run, and its policy fails closed."""

    status = 503
    code = "guardrail_unavailable"


class IssuerUnavailable(GatewayError):
    """A token cannot be verified, for its issuer's keys cannot be had."""

    status = 503
    code = "issuer_unavailable"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, headers={"retry-after": str(retry_after)})


class StoreAway(GatewayError):
    """What the request needs of the store cannot be read or written now."""

    status = 503
    code = "store_unavailable"


class NotFound(GatewayError):
    """No route has this path."""

    status = 404
    code = "not_found"
    type = "invalid_request_error"


class MethodNotAllowed(GatewayError):
    """The route does not take this method."""

    status = 405
    code = "method_not_allowed"
    type = "invalid_request_error"


class BodyTimeout(GatewayError):
    """The body did not arrive before its deadline."""

    status = 408
    code = "body_timeout"
    type = "invalid_request_error"


class CallerLeft(GatewayError):
    """The caller left before the answer ended; nobody reads this, but it is recorded."""

    status = 499
    code = "client_closed_request"

    def __init__(self, message: str, *, may_have_run: bool = False) -> None:
        """``may_have_run``: whether a model had the request by then, as of an UpstreamError."""
        super().__init__(message)
        self.may_have_run = may_have_run


class TooLarge(GatewayError):
    """The body is larger than the gateway reads."""

    status = 413
    code = "too_large"
    type = "invalid_request_error"


class RateLimited(GatewayError):
    """The caller's limit for this window is used up."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"

    def __init__(self, message: str, retry_after: int, *, again: bool = True) -> None:
        """``again``: whether the official SDKs are to try again by themselves."""
        headers = {"retry-after": str(retry_after)}
        super().__init__(message, headers=headers if again else headers | _ONCE)


#: What the official SDKs of OpenAI and Anthropic obey before all else.
_ONCE = {"x-should-retry": "false"}


class BudgetExceeded(RateLimited):
    """What may be spent in a day or a month is spent, or held by calls that are under way."""

    code = "budget_exceeded"
    type = "insufficient_quota"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after, again=False)


class LimitsUnavailable(GatewayError):
    """Limits and budgets cannot be counted, so that nothing is let through."""

    status = 503
    code = "limits_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"retry-after": "1"})


class UpstreamError(GatewayError):
    """A model endpoint failed, by a ``status`` of its own, or answered what is no answer."""

    status = 502
    code = "upstream_error"
    type = "upstream_error"
    #: Whether the model may have worked on the request, so that to ask again may cost again.
    may_have_run: bool = True

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        may_have_run: bool | None = None,
    ) -> None:
        super().__init__(message, headers=headers)
        if status is not None:
            self.status = status
        if may_have_run is not None:
            self.may_have_run = may_have_run


class UpstreamUnavailable(UpstreamError):
    """A model endpoint is starting, full or away."""

    status = 503
    code = "upstream_unavailable"
    may_have_run = False


class UpstreamColdStart(UpstreamUnavailable):
    """Nothing is ready behind a model's endpoint: it was scaled to zero, or is being started."""

    code = "upstream_cold_start"


class UpstreamUnreachable(UpstreamUnavailable):
    """The connection was never made, so that the request certainly did not run."""

    code = "upstream_unreachable"

    def __init__(self, message: str, status: int = 503) -> None:
        super().__init__(message, status=status)


class UpstreamDenied(UpstreamError):
    """A model endpoint refused the gateway's own credentials, or they cannot be had."""

    code = "upstream_credentials"
    may_have_run = False


class UpstreamTimeout(UpstreamError):
    """A model endpoint did not answer in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamRateLimited(UpstreamError):
    """A model endpoint's own limit for the gateway is used up."""

    status = 429
    code = "upstream_rate_limited"
    type = "rate_limit_error"
    may_have_run = False


class UpstreamRefused(UpstreamError):
    """A model endpoint refused the request itself: its 4xx is the caller's."""

    code = "upstream_refused"
    type = "invalid_request_error"
    may_have_run = False

    def __init__(
        self, message: str, status: int, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, status=status, headers=headers)
        if status == 404:  # noqa: PLR2004 - HTTP
            self.type = "not_found_error"  # LiteLLM believes the type before the status


def internal_error(request_id: str) -> GatewayError:
    """What a caller is told of a failure that nobody foresaw: nothing but where to look."""
    return GatewayError(f"Something failed inside the gateway; request {request_id} is in its log.")
