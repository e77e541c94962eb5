"""The models' current scores, and when they were published."""

from typing_extensions import TypedDict

from ai_gateway.access.allowed import may_ask
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.openapi.operation import Operation


class Score(TypedDict):
    """What the judge has made of a model: a mean, its interval, and of how many answers."""

    score: float
    low: float
    high: float
    samples: int


class Published(TypedDict):
    """The scores that routing follows now; null where none were published."""

    weights_id: str | None
    published_at: float | None
    models: dict[str, Score]


API = Operation(reply=Published)


def handle(event: Event, context: Context) -> Reply:
    """Every model but the judge's that the caller may ask; 1.0 where nobody judged it yet."""
    published = context.weights.current
    judge = context.manifest.judge.model if context.manifest.judge else None
    return Reply(
        {
            "weights_id": published.id,
            "published_at": published.published_at,
            "models": {
                name: {
                    "score": score.score,
                    "low": score.low,
                    "high": score.high,
                    "samples": score.samples,
                }
                for name in context.manifest.models
                if name != judge and may_ask(name, event.caller)
                for score in [published.score(name)]
            },
        }
    )
