"""Guardrails: policies in YAML, compiled at start, that say what may pass and why."""
