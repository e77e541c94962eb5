"""``policies/policy.schema.json``: what editors complete and check policy files with."""

from __future__ import annotations

import json

from ai_gateway.guardrails.policy import Policy


def schema() -> str:
    """The JSON Schema of a policy file, as the file holds it."""
    return json.dumps(Policy.model_json_schema(), indent=2) + "\n"
