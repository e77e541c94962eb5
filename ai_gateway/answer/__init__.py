"""The one way to a model, one file a stage: call, guard, route, forward, record."""
