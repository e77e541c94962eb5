"""What a gateway's refusals and failures are to its caller.

    GatewayError
    ├── BadRequest 400, Unauthenticated 401, Forbidden 403, NotFound 404, Conflict 409,
    │   PreconditionFailed 412, RateLimited 429
    ├── ServerError 500 and more
    └── Unreachable, where no answer came

Any other status is a GatewayError itself. A message is the gateway's own, without the key.
"""

from __future__ import annotations

from typing import Final


class GatewayError(Exception):
    """The gateway refused, or failed: ``status``, ``code`` and ``message`` say how.

    ``status`` is None where no answer came, ``code`` where the answer had none. ``request_id``
    names the request in the gateway's records.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id


class BadRequest(GatewayError):
    """The gateway does not take what it was asked, or the bundle would not check."""


class Unauthenticated(GatewayError):
    """The key is none, or does not work any more."""


class Forbidden(GatewayError):
    """The key was not given what this takes, or a guardrail policy forbids the question."""


class NotFound(GatewayError):
    """There is no such route, key or path."""


class Conflict(GatewayError):
    """There is one already, or another change is under way."""


class PreconditionFailed(GatewayError):
    """The bundle is not the version any more that the change was meant for."""


class RateLimited(GatewayError):
    """A limit or a budget is used up."""


class ServerError(GatewayError):
    """The gateway, or the model behind it, failed."""


class Unreachable(GatewayError):
    """No answer came: no connection, or it broke off."""


_BY_STATUS: Final = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: RateLimited,
}
_FAILED: Final = 500


def of_status(status: int) -> type[GatewayError]:
    """The class of a reply's status."""
    return _BY_STATUS.get(status, ServerError if status >= _FAILED else GatewayError)
