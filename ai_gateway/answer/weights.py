"""The models' scores as the judge last published them, followed live.

A background thread looks once a second for a newer publication, so that a new score reaches the
routing within two seconds of the tick's end, in every process and without a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ai_gateway.records import Records, StoreUnavailable, to_rows
from ai_gateway.watch import Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Score:
    """A model's score with its 95 % interval, and how many judged answers it rests on."""

    score: float = 1.0
    low: float = 0.0
    high: float = 1.0
    samples: int = 0


#: What every model starts with.
UNJUDGED = Score()


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication of all scores; ``id`` and ``published_at`` are None before the first."""

    id: str | None = None
    published_at: str | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)

    def score(self, model: str) -> Score:
        """The score of ``model``; 1.0 as long as nobody judged it."""
        return self.scores.get(model, UNJUDGED)


class Weights:
    """The current publication; reading it costs an attribute."""

    def __init__(self, records: Records, every: float = 1.0) -> None:
        self._records = records
        self._token = ""
        self._watch = Watch("weights", every, self.refresh)
        self.current = Publication()

    def refresh(self) -> None:
        """Look once; a store that cannot be read leaves the scores as they are."""
        try:
            found = self._records.latest("weights", self._token)
        except StoreUnavailable as error:
            log.warning("the models' scores could not be read: %s", error)
            return
        if found:
            self._token, table = found
            self.current = publication(to_rows(table))

    def start(self) -> Weights:
        """Look now, and keep looking."""
        self.refresh()
        self._watch.start()
        return self

    def stop(self) -> None:
        """Stop looking."""
        self._watch.stop()


def publication(rows: Iterable[Mapping[str, Any]]) -> Publication:
    """The newest publication among ``rows`` of the weights table."""
    rows = list(rows)
    if not rows:
        return Publication()
    newest = max(rows, key=lambda row: (row["published_at"], row["weights_id"]))
    return Publication(
        id=newest["weights_id"],
        published_at=_iso(newest["published_at"]),
        scores={
            row["model"]: Score(row["score"], row["score_low"], row["score_high"], row["samples"])
            for row in rows
            if row["weights_id"] == newest["weights_id"]
        },
    )


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, timezone.utc).isoformat()
