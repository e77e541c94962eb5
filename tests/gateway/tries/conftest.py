"""What the tests of tries ask, and what they look at."""

ROUTE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
    timeout: 5s
"""


def attempts(gateway) -> list[tuple[str, str | None]]:
    """The models that were asked for the last answer, and how each failed."""
    return [(found["model"], found["error"]) for found in gateway.rows()[-1]["attempts"]]


def claude(simulator) -> str:
    """A model that speaks Anthropic's API."""
    place = f"url: {simulator.url}/anthropic/v1, model_id: claude-simulated, dialect: anthropic"
    return f"  claude: {{{place}, credentials: {{token: t}}}}\n"
