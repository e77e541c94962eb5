"""What a check yields, and what it may look at."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.settings import Settings

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a key path, before it is known which file and line that is.

    ``found`` is None where the value itself is what was found.
    """

    at: Location
    found: str | None
    wanted: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a manifest is checked against; None where it is not known what there is."""

    settings: Settings
    policies: tuple[str, ...] | None = ()
    guardrails: Guardrails | None = None
    prompts: tuple[str, ...] | None = ()
    #: Every name under ``models:`` in the file, those with problems too.
    models: tuple[str, ...] = ()
    #: Every key at the top of the file, those with problems below them too.
    sections: tuple[str, ...] = ()
    #: The same under ``portal:``.
    portal: tuple[str, ...] = ()
    workers: int = 1
    loopback: bool = True
    serving: bool = True


def nearest(name: str, known: Iterable[str]) -> str:
    """What would be right instead of ``name``."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"one of {', '.join(known) or 'none, since none is defined'}{hint}"


def plain(value: object) -> str:
    """A value as an operator would write it."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
