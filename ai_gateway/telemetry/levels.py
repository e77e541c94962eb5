"""The level of log lines: as the settings say, until it is changed while the gateway runs.

A changed level is a file beside the write-ahead files, so that every process of the machine that
shares them follows within a second, and one that is started later too. It is the level of the
gateway's own lines; libraries are never told to say more than ``info``: what they say below that
holds headers.
"""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from ai_gateway.settings import Settings
from ai_gateway.watch import Watch

log = logging.getLogger(__name__)

Level = Literal["debug", "info", "warning", "error", "critical"]
NAMES: Final[tuple[str, ...]] = get_args(Level)
_OWN: Final = ("ai_gateway", "functions")
_LONGEST: Final = 20  # bytes that are read of the file


@dataclass(slots=True)
class Levels:
    """The level that is ``declared``, and the file that may say another."""

    path: Path
    declared: str
    every: float = 1.0
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch("log-level", self.every, self.refresh)

    @classmethod
    def of(cls, settings: Settings) -> Levels:
        """The level of processes with these settings."""
        return cls(settings.wal / "log-level", settings.log_level)

    @property
    def current(self) -> str:
        """The level in force by now, in every process that looks."""
        return self._changed() or self.declared

    def change(self, level: Level | None) -> None:
        """From now on ``level``, or what is declared again; raises OSError."""
        if level is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f"log-level.{secrets.token_hex(4)}")
            descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(level)
            fresh.replace(self.path)
        self.refresh()

    def refresh(self) -> None:
        """Put what is in force by now in force in this process."""
        number: int = getattr(logging, self.current.upper())
        root, own = logging.getLogger(), [logging.getLogger(name) for name in _OWN]
        if own[0].level == number:
            return
        root.setLevel(max(number, logging.INFO))
        for logger in own:
            logger.setLevel(number)

    def start(self) -> Levels:
        """Keep looking."""
        self._watch.start()
        return self

    def stop(self) -> None:
        """Stop looking."""
        self._watch.stop()

    def _changed(self) -> str | None:
        try:
            with self.path.open("rb") as file:
                found = file.read(_LONGEST).decode("ascii", "replace").strip()
        except OSError:
            return None
        return found if found in NAMES else None
