"""What a person says of a request: of its answer, or of what a guardrail made of it."""

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.feedback.given import Feedback, row


def handle(event: Event, context: Context) -> Reply:
    """Keep it; the id is the same whenever the same rater rates the same thing again.

    The request is not looked up, since records lag: labels that fit none are left out on reading.
    """
    kept = row(event.parse(Feedback), event)
    context.records.append("feedback", kept)
    return Reply({"feedback_id": kept["feedback_id"].partition("/")[0]}, status=201)
