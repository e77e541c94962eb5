"""Should traffic come here? The bundle and the record store, each with what is wrong."""

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, context: Context) -> Reply:
    """200 while requests can be served; a refused reload and a store in trouble are said."""
    records = context.records.status()
    return Reply(
        {
            "status": "ok",
            "bundle": context.bundle.describe(),
            "records": {name: records[name] for name in ("alert", "pending", "lag_seconds")},
            "weights": context.weights.current.id,
        }
    )
