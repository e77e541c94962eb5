"""``python -m ai_gateway.guardrails.schema > policies/policy.schema.json``."""

from __future__ import annotations

import json
import sys

from ai_gateway.guardrails.policy import Policy


def schema() -> str:
    """The JSON Schema of a policy file, as the file holds it."""
    return json.dumps(Policy.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
