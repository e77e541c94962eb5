"""The oldest rows of the audit log go, and what is left of its chains can still be verified."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.contract import ANONYMOUS, Event
from ai_gateway.control.anchors import ANCHOR, PRUNE, RESUME, Anchoring
from ai_gateway.control.audit import Audit, main, row_hash, verify
from ai_gateway.manifest.model import Route
from ai_gateway.records import Records, to_rows
from ai_gateway.records.keeping import Keep
from ai_gateway.settings import Settings
from tests.records.conftest import DAY, NOON, FakeClock

EVENT = Event("r", Route(path="/", name="prune"), "TICK", "/", 0.0, caller=ANONYMOUS)


class Log:
    """An audit table in memory, and what prunes it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kept: list[dict[str, Any]] = []
        self.stored = 0

    def append(self, _table: str, row: dict[str, Any]) -> None:
        self.kept.append(row)

    def rows(self, _table: str, _columns: object) -> list[dict[str, Any]]:
        return list(self.kept)

    def flush(self) -> None:
        self.stored = len(self.kept)

    def writer(self, name: str) -> Audit:
        return Audit(cast("Records", self), self.clock, name)

    def prune(self, pruner: Audit, days: int, *, deleted: bool = True) -> int:
        """Delete what is older, whole dates at a time, as far as it is allowed; how many rows."""
        dates = sorted({date(row) for row in self.kept})
        over = [each for each in dates if midnight(each) + (1 + days) * DAY <= self.clock.time]
        may = Anchoring(cast("Records", self), pruner, EVENT).may(over)
        assert self.stored == len(self.kept) or not may
        gone = [row for row in self.kept if date(row) in may]
        if deleted:
            self.kept = [row for row in self.kept if row not in gone]
        return len(gone)

    def faults(self) -> list[str]:
        return [str(fault) for fault in verify(self.kept).faults]


def date(row: dict[str, Any]) -> str:
    """The UTC date under which a row is stored."""
    return datetime.fromtimestamp(row["at"] / 1e6, timezone.utc).date().isoformat()


def midnight(of: str) -> float:
    """When a UTC date begins."""
    return datetime.fromisoformat(of).replace(tzinfo=timezone.utc).timestamp()


def log(days: int, *names: str) -> tuple[Log, list[Audit]]:
    """A row a day of each writer, and with each but the first one that says when that was."""
    made = Log()
    writers = [made.writer(name) for name in names]
    for _ in range(days):
        for writer in writers:
            writer.note(None, "a", "o")
        made.clock.time += DAY
    return made, writers


def test_what_is_left_of_a_chain_is_verified_by_its_anchor() -> None:
    """Its last row that went is noted before it goes; the rest is as hard to change as ever."""
    made, _ = log(6, "w", "v")
    assert made.prune(made.writer("p"), 2) == 14
    noted = [(row["action"], row["object"]) for row in made.kept if row["writer"] == "p"]
    assert noted == [(ANCHOR, "v"), (ANCHOR, "w"), (PRUNE, "audit")]
    found = verify(made.kept)
    assert (found.faults, found.chains, found.anchored) == ([], 3, 2)
    assert datetime.fromtimestamp(found.until / 1e6, timezone.utc).isoformat() == (
        "2026-03-05T00:00:00+00:00"
    )
    first = next(row for row in made.kept if row["writer"] == "w")
    assert first["number"] == 7
    made.kept.remove(first)
    assert made.faults() == ["w/8: rows 0 to 7 of this writer are missing"]


def test_a_beginning_that_nobody_pruned_is_missing() -> None:
    """Also where the log was pruned, and where an anchor is of another row or is no anchor."""
    made, (writer,) = log(4, "w")
    writer.note(None, "a", "late")
    del made.kept[0]
    assert made.faults() == ["w/1: rows 0 to 0 of this writer are missing"]
    for after in (None, {"number": 0, "hash": "0" * 64}, {"number": "0"}, {"x": 1}, [1]):
        made.writer(str(after)).note(None, ANCHOR, "w", None, after)
    made.writer("p").note(None, PRUNE, "audit", None, {"until": 1})
    assert made.faults() == ["w/1: rows 0 to 0 of this writer are missing"]


def test_who_wrote_nothing_for_long_says_since_when() -> None:
    """His chain may be gone by then: right where the log says that it was pruned, else a fault."""
    made, (writer,) = log(1, "w")
    made.clock.time += 9 * DAY
    made.prune(made.writer("p"), 2)
    writer.note(None, "a", "again")
    (resumed, again) = (row for row in made.kept if row["writer"] == "w")
    assert (resumed["action"], resumed["object"]) == (RESUME, "w")
    assert json.loads(resumed["after"]) == {"before": round(NOON * 1e6)}
    assert (again["number"], made.faults()) == (2, [])
    made.clock.time += 1.0
    writer.note(None, "a", "at once")
    assert [row["action"] for row in made.kept][-1] == "a"
    made.kept = [row for row in made.kept if row["writer"] == "w"]
    assert made.faults() == ["w/1: rows 0 to 0 of this writer are missing"]


def test_an_anchor_that_goes_before_its_chain_is_noted_anew() -> None:
    """Where the pruner's clock is behind the writer's, the two may stand under two dates."""
    made, (writer,) = log(1, "w")
    made.clock.time = midnight("2026-03-04") + 60
    writer.note(None, "a", "after midnight")
    made.clock.time -= 120
    made.prune(made.writer("p"), 1)
    made.clock.time = midnight("2026-03-05") + 60
    assert (made.prune(made.writer("q"), 1), made.faults()) == (2, [])
    again = [row["audit_id"] for row in made.kept if row["action"] == ANCHOR]
    assert again == ["q/0"]
    made.clock.time += DAY
    assert (made.prune(made.writer("r"), 1), made.faults()) == (2, [])
    assert not [row for row in made.kept if row["writer"] == "w"]


def test_a_pruning_that_was_killed_is_no_fault() -> None:
    """Anchors are there and rows too; the next run takes it up, and notes no anchor twice."""
    made, _ = log(6, "w")
    made.prune(made.writer("p"), 2, deleted=False)
    assert made.faults() == []
    del made.kept[:2]  # some of what may go
    assert made.faults() == []
    made.prune(made.writer("q"), 2)
    assert made.faults() == []
    assert [row["object"] for row in made.kept if row["action"] == ANCHOR] == ["w"]


def test_a_clock_that_was_set_back_keeps_its_rows(caplog) -> None:
    """A hole in a chain is a fault: so its dates wait until all before the hole are old."""
    made = Log()
    writer = made.writer("w")
    writer.note(None, "a", "o")
    made.clock.time -= 5 * DAY
    writer.note(None, "a", "o")
    made.clock.time += 8 * DAY
    assert made.prune(made.writer("p"), 3) == 0
    assert "clock that was set back" in caplog.text
    made.clock.time += 3 * DAY
    assert made.prune(made.writer("p"), 3) == 2
    assert made.faults() == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("restart"), st.integers(0, 2)),
        st.tuples(st.just("prune"), st.integers(1, 3)),
        st.tuples(st.just("killed"), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(STEPS)
@settings(deadline=None)
def test_whatever_happens_a_pruned_log_verifies(steps) -> None:
    """Writers that come and go, idle and write again; prunings that end or not, by any of them."""
    made = Log()
    writers = [made.writer(str(number)) for number in range(3)]
    days = next((number for kind, number in steps if kind == "prune"), 1)
    for at, (kind, number) in enumerate(steps):
        if kind == "note":
            writers[number].note(None, "a", "o")
        elif kind == "wait":
            made.clock.time += number * 3_600
        elif kind == "restart":
            writers[number] = made.writer(f"{number}-{at}")
        else:
            made.prune(writers[number - 1], days, deleted=kind == "prune")
        assert made.faults() == []
    chains = sorted(made.kept, key=lambda row: (row["writer"], row["number"]))
    for one, following in pairwise(chains):
        if one["writer"] == following["writer"]:
            edited = [{**row, "who": "x"} if row is one else row for row in made.kept]
            assert verify(edited).faults
            forged = {**one, "who": "x"}
            forged["hash"] = row_hash(forged)
            assert verify([forged if row is one else row for row in made.kept]).faults


def test_dates_go_from_the_store_and_the_command_says_from_where(tmp_path, capsys) -> None:
    """Not without having been asked for; what the command prints is exact."""
    clock = FakeClock()
    data = str(tmp_path / "data")
    with Records.open(data, tmp_path / "wal", clock, background=False) as records:
        audit = Audit(records, clock, "w")
        for _ in range(4):
            audit.note(None, "a", "o")
            records.flush()
            clock.time += DAY
        assert not records.prune({"audit": Keep(2 * DAY)}).files
        pruner = Anchoring(records, Audit(records, clock, "p"), EVENT)
        done = records.prune({"audit": Keep(2 * DAY)}, may=pruner.may)
        assert done.summary()["dates"] == {"audit": 2}
        rows = to_rows(records.scan("audit"))
    assert sorted(row["audit_id"] for row in rows) == [
        "p/0",
        "p/1",
        *(f"w/{n}" for n in range(3, 7)),
    ]
    settings_ = Settings(data=data, wal=tmp_path / "wal")
    assert main(["verify"], settings_) == 0
    assert capsys.readouterr().out == (
        "verified from 2026-03-03 on: what is older was pruned; 1 chains begin behind it\n"
        "6 rows in 2 chains, 0 faults\n"
    )


def test_nothing_that_is_old_asks_for_no_anchor() -> None:
    """No row is written where none goes."""
    made, _ = log(1, "w")
    assert made.prune(made.writer("p"), 9) == 0
    assert len(made.kept) == 1
    pruner = Anchoring(cast("Records", made), made.writer("p"), EVENT)
    assert list(pruner.may(["2020-01-01"])) == ["2020-01-01"]


@pytest.mark.parametrize("wrong", [{"tenants": {"a": {"audit": "1d"}}}, {"audit": "12h"}])
def test_audit_is_kept_by_whole_days_whosesoever_it_is(wrong) -> None:
    """A chain is of a process: no tenant's rows can be taken out of it."""
    from ai_gateway.compliance.declared import Retention  # noqa: PLC0415 - only here

    assert Retention.model_validate({"audit": "400d"}).keeps() == {"audit": Keep(400 * DAY)}
    with pytest.raises(ValueError, match="audit"):
        Retention.model_validate(wrong)
