"""What a person says of a request: of its answer, or of what a guardrail made of it."""

from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.feedback.given import Feedback, row
from ai_gateway.openapi.operation import Operation


class Kept(TypedDict):
    """The id of what was kept."""

    feedback_id: str


API = Operation(
    body=Feedback,
    reply=Kept,
    statuses=(201,),
    example={"request_id": "01890a5dac96774bbcceb302099a8057", "thumb": "up"},
)


def handle(event: Event, context: Context) -> Reply:
    """Keep it; the id is the same whenever the same rater rates the same thing again.

    The request is not looked up, since records lag: labels that fit none are left out on reading.
    """
    kept = row(event.parse(Feedback), event)
    context.records.append("feedback", kept)
    return Reply({"feedback_id": kept["feedback_id"].partition("/")[0]}, status=201)
