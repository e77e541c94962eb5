"""From which level on log lines are written, asked or changed while the gateway runs."""

from pydantic import field_validator
from typing_extensions import TypedDict

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt, require
from ai_gateway.manifest.closed import Closed
from ai_gateway.openapi.operation import Operation
from ai_gateway.telemetry.levels import Level, Levels


class Wanted(Closed):
    """The level from now on; null for the one that the settings say."""

    level: Level | None

    @field_validator("level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class Levelled(TypedDict):
    """The level by now, and the one that the settings say."""

    level: str
    declared: str


API = {
    "GET": Operation(reply=Levelled, scope="logs"),
    "PUT": Operation(
        body=Wanted, reply=Levelled, errors=(415,), scope="logs", example={"level": "debug"}
    ),
}


def handle(event: Event, context: Context) -> Reply:
    """The level by now, and the declared one; PUT changes it."""
    levels, action = Levels.of(context.settings), "log-level.put"
    if event.method == "PUT":
        with attempt(event, context, "logs", action):
            wanted = event.parse(Wanted).level
        before = levels.current
        levels.change(wanted)
        context.audit.note(event, action, "log-level", before, levels.current)
    else:
        require(event, context, "logs")
    return Reply({"level": levels.current, "declared": levels.declared})
