"""Stage 5: what of a text a record may hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ai_gateway import strictjson
from ai_gateway.answer.vault import Vault, masked
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.inspection import Inspection
from ai_gateway.guardrails.scene import Text

#: From here on a number may be that of a card or a telephone.
_LONG: Final = 10**6


@dataclass(frozen=True, slots=True)
class Masks:
    """Puts kinds in the place of what the policies of one route redact."""

    policies: Guardrails
    names: Sequence[str] | None

    def hidden(self, text: str, stage: str) -> str | None:
        """``text`` of a stage as it may be recorded at all; None where that cannot be told."""
        if not self.policies.redacts(stage, self.names):
            return text
        found = Inspection()
        self.policies.redact([Text(text, stage)], self.names, found)
        return None if found.failed else masked(text, found.redactions)

    def redacted(self, text: str) -> str:
        """``text`` as it may be recorded under ``privacy: redacted``."""
        return masked(text, self.policies.places(text, self.names))

    def request(self, request: Mapping[str, Any]) -> Any:
        """The same of a request, which stays JSON: each string by itself, and beside its name."""
        around, known = strictjson.dumps(request).decode(), Vault(numbered=False)
        known.hide(around, self.policies.places(around, self.names))

        def redact(text: str) -> str:
            left: str = known.hide(self.redacted(text), ())
            return left

        return _replaced(request, functools.cache(redact))


def _replaced(value: Any, redact: Callable[[str], str]) -> Any:
    """A copy of a JSON value with its names, strings and long numbers redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(name): _replaced(item, redact) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, redact) for item in value]
    if isinstance(value, (int, float)) and abs(value) >= _LONG:
        said = str(value)
        return value if (left := redact(said)) == said else left
    return value
