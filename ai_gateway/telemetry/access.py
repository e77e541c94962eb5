"""One line for each request that is over: who, what, how long. Never what was said."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ai_gateway.answer.record import Decision
    from ai_gateway.contract import Caller

log = logging.getLogger(__name__)

#: Of a method: a caller may send any word as one.
_LONGEST: Final = 16


def tell(
    *,
    request_id: str,
    route: str,
    method: str,
    status: int,
    seconds: float,
    caller: Caller,
    decision: Decision | None = None,
) -> None:
    """Log the request's access line, unless lines of its level are off."""
    if not log.isEnabledFor(logging.INFO):
        return
    method = method[:_LONGEST]
    fields: dict[str, Any] = {
        "request_id": request_id,
        "route": route,
        "method": method,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "tenant": caller.tenant,
        "key_id": caller.id,
        **(_decided(decision) if decision else {}),
    }
    # A record of our own: to look for the line of code that logs costs more than all the rest.
    message = f"{method} {route} {status}"
    record = logging.LogRecord(log.name, logging.INFO, __file__, 0, message, None, None)
    record.fields = fields
    log.handle(record)


def _decided(decision: Decision) -> dict[str, Any]:
    usage = decision.usage
    fields = {
        "model": decision.served,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "error": decision.error,
    }
    return {name: value for name, value in fields.items() if value is not None}
