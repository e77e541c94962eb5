"""Merges the small files of closed days, so that readers open few."""

from dataclasses import asdict

from ai_gateway.contract import Context, Event, Reply


def handle(_event: Event, context: Context) -> Reply:
    """What was merged; ``held`` while another process does it."""
    done = context.records.compact()
    return Reply({"held": done is None} | (asdict(done) if done else {}))
