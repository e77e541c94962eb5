"""The models' current scores, and when they were published."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, context: Context) -> Reply:
    """Every model that routing may choose; 1.0 where nobody judged it yet."""
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
                if name != judge
                for score in [published.score(name)]
            },
        }
    )
