"""What the tests of tries ask, and what they look at."""

import time
from concurrent.futures import ThreadPoolExecutor

from ai_gateway.hosting.arrival import Arrival

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


def leaving(gateway, simulator, path: str, body: dict) -> int:
    """The status of a question whose caller leaves while ``model-a`` is asked, within a second."""
    arrival = Arrival()

    def ask() -> int:
        reply = gateway.client.application.test_client().post(
            path,
            json=body,
            headers=gateway.headers,
            environ_overrides={"gateway.disconnected": arrival},
        )
        return int(reply.status_code)

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask)
        while not simulator.counts["model-a"]:
            time.sleep(0.01)
        time.sleep(0.1)
        left = time.monotonic()
        arrival.leave()
        status = asked.result()
    assert time.monotonic() - left < 1
    return status


def claude(simulator) -> str:
    """A model that speaks Anthropic's API."""
    place = f"url: {simulator.url}/anthropic/v1, model_id: claude-simulated, dialect: anthropic"
    return f"  claude: {{{place}, credentials: {{token: t}}}}\n"
