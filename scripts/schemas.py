"""Writes the published schemas from the models that they describe."""

from __future__ import annotations

import json
from pathlib import Path

from ai_gateway.guardrails.schema import schema as policy_schema
from ai_gateway.manifest.model import Manifest

ROOT = Path(__file__).parents[1]


def routes_schema() -> str:
    """The schema of routes.yaml, for editors and other tools."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Manifest.model_json_schema(by_alias=True),
        "title": "routes.yaml of the AI gateway",
    }
    return json.dumps(schema, indent=2) + "\n"


def main() -> None:
    """Write each file."""
    (ROOT / "routes.schema.json").write_text(routes_schema(), encoding="utf-8")
    policies = ROOT / "policies" / "policy.schema.json"
    policies.write_text(policy_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
