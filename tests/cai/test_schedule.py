"""When jobs run: what routes.yaml says, as a cron line, set through the workbench's API."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from types import SimpleNamespace

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from scripts.cai_schedule import JOBS, NotScheduled, cron, main, schedule, wanted
from tests.cai.conftest import ROOT

LINES = {"Judge": "*/5 * * * *", "Compact": "0 0 * * *", "Prune": "30 2 * * *"}


class Workbench:
    """The API client's module and the client, as far as they are used."""

    Job = SimpleNamespace

    def __init__(self, **schedules: str | None) -> None:
        self.jobs = [
            SimpleNamespace(id=name.lower(), name=name, schedule=line)
            for name, line in schedules.items()
        ]
        self.updates: list[tuple[str, str]] = []

    def default_client(self) -> "Workbench":
        """The client itself."""
        return self

    def list_jobs(self, project: str, page_size: int) -> "Workbench":
        """The jobs of the one project."""
        assert (project, page_size) == ("p1", 100)
        return self

    def update_job(self, body: SimpleNamespace, project: str, job: str) -> None:
        """Keep what changed."""
        assert project == "p1"
        self.updates.append((job, body.schedule))
        next(each for each in self.jobs if each.id == job).schedule = body.schedule


def test_jobs_get_their_schedules_once() -> None:
    """What differs is set; a second time nothing does."""
    workbench = Workbench(Judge="", Compact=None, Prune="30 2 * * *", Another="1 1 1 1 1")
    schedule(workbench, "p1", LINES)
    assert workbench.updates == [("judge", "*/5 * * * *"), ("compact", "0 0 * * *")]
    schedule(workbench, "p1", LINES)
    assert len(workbench.updates) == 2


def test_a_job_that_is_missing_is_named() -> None:
    """Nothing is set where a job is missing."""
    workbench = Workbench(Judge="")
    with pytest.raises(NotScheduled, match="this project has no job Compact"):
        schedule(workbench, "p1", LINES)
    assert not workbench.updates


def test_without_the_api_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off the workbench there is no client: the message has each job's line, to be set by hand."""
    monkeypatch.chdir(ROOT)
    with pytest.raises(NotScheduled) as caught:
        main()
    for name, line in LINES.items():
        assert f"{name}: {line}" in str(caught.value)


def test_the_schedules_are_those_of_the_bundle() -> None:
    """Each job of the AMP has a job in routes.yaml, which says when it runs."""
    assert wanted(ROOT) == LINES
    assert LINES.keys() == JOBS.keys()


@given(st.sampled_from("smhd"), st.integers(1, 90))
def test_a_cron_line_means_the_duration(unit: str, count: int) -> None:
    """A cron line fires exactly so often; what does not divide an hour or a day is refused."""
    seconds = count * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    minutes, rest = divmod(seconds, 60)
    if rest or 1440 % minutes or (60 % minutes and minutes % 60):
        with pytest.raises(ValueError, match=f"{count}{unit}"):
            cron(f"{count}{unit}")
        return
    times = CronSim(cron(f"{count}{unit}"), datetime(2026, 1, 1, tzinfo=timezone.utc))
    fired = [next(times) for _ in range(40)]
    assert {later - earlier for earlier, later in pairwise(fired)} == {timedelta(seconds=seconds)}


def test_a_cron_line_is_itself() -> None:
    """What is no duration is a cron line already."""
    assert cron("15 3 * * 1") == "15 3 * * 1"
