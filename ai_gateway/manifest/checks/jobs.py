"""Jobs have names and schedules, and the judge that they need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone

from cronsim import CronSim, CronSimError

from ai_gateway.manifest.checks.finding import Finding, Location, Surroundings
from ai_gateway.manifest.model import Manifest
from ai_gateway.manifest.units import duration


def check(manifest: Manifest, _around: Surroundings) -> Iterator[Finding]:
    """Every job by itself."""
    names = Counter(job.name for job in manifest.jobs)
    for index, job in enumerate(manifest.jobs):
        at: Location = ("jobs", index)
        if names[job.name] > 1:
            yield Finding((*at, "name"), f"{job.name} twice", "a name of its own")
        if not _is_schedule(job.every):
            yield Finding((*at, "every"), job.every, "a duration (5m) or a cron line (*/5 * * * *)")
        if job.function.startswith("functions.judge_tick:") and manifest.judge is None:
            yield Finding(("judge",), "no judge", "a judge with its model: a job needs it")


def _is_schedule(every: str) -> bool:
    try:
        duration(every)
    except ValueError:
        try:
            CronSim(every, datetime(2000, 1, 1, tzinfo=timezone.utc))
        except CronSimError:
            return False
    return True
