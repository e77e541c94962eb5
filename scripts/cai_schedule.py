"""Cloudera AI runs this in a session, after its jobs were made: give them their schedules.

An AMP makes jobs that only run by hand. When each should run stands in routes.yaml, once; it is set
through the workbench's API. Running it again changes only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from ai_gateway.manifest.units import duration
from ai_gateway.settings import Settings

#: The jobs as .project-metadata.yaml names them, and as routes.yaml does.
JOBS = {"Judge": "judge-tick", "Compact": "compact", "Prune": "prune"}


class NotScheduled(Exception):
    """What was not scheduled, and how to do it by hand."""


def cron(every: str) -> str:
    """The cron line of a duration such as 5m, 1h or 1d; what is no duration is a cron line.

    Raises ValueError for a duration that cron cannot say, such as 7m.
    """
    try:
        seconds = duration(every)
    except ValueError:
        return every
    lines = {60 * n: f"*/{n} * * * *" for n in range(1, 60) if not 60 % n}
    lines |= {3600 * n: f"0 */{n} * * *" for n in range(1, 24) if not 24 % n}
    lines[86400] = "0 0 * * *"
    if seconds not in lines:
        raise ValueError(f"no cron line means every {every}: write one in routes.yaml")
    return lines[int(seconds)]


def wanted(bundle: Path) -> dict[str, str]:
    """The cron line of each job, by its name on Cloudera AI."""
    text = (bundle / "routes.yaml").read_text("utf-8")
    every = {job["name"]: job["every"] for job in yaml.safe_load(text)["jobs"]}
    return {name: cron(every[job]) for name, job in JOBS.items()}


def schedule(cmlapi: Any, project: str, lines: Mapping[str, str]) -> None:
    """Give each of the project's jobs in ``lines`` its cron line; raises NotScheduled."""
    client = cmlapi.default_client()
    found = {job.name: job for job in client.list_jobs(project, page_size=100).jobs}
    if missing := sorted(lines.keys() - found.keys()):
        raise NotScheduled(f"this project has no job {' and no job '.join(missing)}")
    for name, line in lines.items():
        if found[name].schedule == line:
            print(f"{name} has its schedule already: {line}")
        else:
            client.update_job(cmlapi.Job(schedule=line), project, found[name].id)
            print(f"{name} runs by itself now: {line}")


def main() -> None:
    """Schedule the jobs of this project; raises NotScheduled with what to do instead."""
    lines = wanted(Path())
    try:
        cmlapi = import_module("cmlapi")
        schedule(cmlapi, Settings.read().variables["CDSW_PROJECT_ID"], lines)
    except Exception as error:  # the client is the workbench's own: its errors cannot be named here
        by_hand = "; ".join(f"{name}: {line}" for name, line in lines.items())
        raise NotScheduled(
            f"The jobs have no schedule yet ({type(error).__name__}: {error}). Set it in each job's"
            f" settings, Schedule: Recurring, Use a cron expression. {by_hand}"
        ) from error


if __name__ == "__main__":
    main()
