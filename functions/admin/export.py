"""Gives out all that is held on a tenant, a key, a rater or single requests."""

from ai_gateway.compliance import asked, export
from ai_gateway.compliance.erasure import Wanted
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import require
from ai_gateway.errors import StoreAway
from ai_gateway.openapi.operation import Operation
from ai_gateway.records import StoreUnavailable

API = Operation(query=Wanted, gives=("application/x-ndjson",), scope="compliance")


def handle(event: Event, context: Context) -> Reply:
    """A stream of lines of JSON, one a row; the last one says whether that was all."""
    require(event, context, "compliance", "export.read")
    subject = asked.query(event).subject()
    try:
        context.records.flush()
    except StoreUnavailable:
        raise StoreAway("The records cannot be read or written now; try again.") from None
    context.audit.note(event, "export.read", "records", after=subject.named())
    lines = export.lines(context.records, subject, export.MOST)
    return Reply(lines, headers={"content-type": "application/x-ndjson"})
