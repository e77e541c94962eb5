"""Schemathesis' engine over a WSGI application: what it sends, what it holds to, what it found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

#: What every answer is held to. Left out: what takes the document for all that the gateway asks
#: (rules between fields are in no schema), and ``ignored_auth``, which cannot call a WSGI
#: application; that every route denies who comes without a key has tests of its own.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
#: Where what the document forbids may be answered: models and targets take what they take, and a
#: list of one `authType` is told by schemathesis for one that is too long.
LENIENT = "^/(v1|v2|target|api/v1/security)"


@dataclass
class Found:
    """What a run came to."""

    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, event: events.ScenarioFinished) -> None:
        """What one operation was asked, and what it did wrong."""
        recorder = event.recorder
        for identity, interaction in recorder.interactions.items():
            case = recorder.cases[identity].value
            self.asked[f"{case.method} {case.path}"] += 1
            if interaction.response is not None:
                self.answered[interaction.response.status_code] += 1
        for check in (each for checks in recorder.checks.values() for each in checks):
            if (told := check.failure_info) is not None:
                said = (
                    f"{recorder.label}: {check.name}: {told.failure.title} {told.failure.message}"
                )
                self.wrong.append(f"{said}\n{told.code_sample}")


def configuration(examples: int, seconds: int = 0) -> SchemathesisConfig:
    """``examples`` an operation, the same each time; others for ``seconds``, if any."""
    given: dict[str, Any] = {
        "suppress-health-check": ["all"],
        "generation": {
            "max-examples": examples,
            "deterministic": not seconds,
            "database": "none",
        },
        "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
        "phases": {"stateful": {"enabled": bool(seconds)}},
        "operations": [
            {
                "include-path-regex": LENIENT,
                "checks": {"negative_data_rejection": {"enabled": False}},
            }
        ],
    }
    return SchemathesisConfig.from_dict({**given, **({"max-time": seconds} if seconds else {})})


def run(app: Any, headers: dict[str, str], config: SchemathesisConfig) -> Found:
    """Send to ``app`` what schemathesis makes of its document; ``headers`` say who calls."""
    config.projects.default.headers = headers
    document = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config, headers=headers)
    found = Found()
    for event in from_schema(document).execute():
        if isinstance(event, events.ScenarioFinished):
            found.note(event)
        elif isinstance(event, events.FatalError):
            found.wrong.append(repr(event.exception))
        elif isinstance(event, events.NonFatalError):
            found.wrong.append(f"{event.label}: {event.value!r}")
    return found
