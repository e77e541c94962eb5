"""What the page shows of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_gateway.dashboard import markup, tables, text
from ai_gateway.dashboard.view import ALL_MODELS, View, Wanted, read
from ai_gateway.records import Records
from ai_gateway.records.schema import TABLES
from tests.dashboard.rows import (
    NOON,
    FakeClock,
    label,
    refusal,
    request,
    score,
    verdict_of,
    weights,
)

CANARY = "<script>canary()</script><img src=x onerror=canary()>[link](javascript:canary())"


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """An empty store."""
    return Records.open(str(tmp_path / "d"), tmp_path / "wal", FakeClock(), background=False)


def put(records: Records, **found: list[dict[str, Any]]) -> None:
    """Rows of each table, readable."""
    for table in TABLES:
        records.extend(table, found.get(table, []))
    records.flush()


def seen(records: Records, period: str = "Day", model: str = ALL_MODELS, at: float = NOON) -> View:
    """The view at a time."""
    return read(records, Wanted(period, model), FakeClock(at + 1))


def test_an_empty_store_says_what_to_do(records: Records) -> None:
    """Without any record the page explains how to get some; it has no rows and no problem."""
    view = seen(records)
    assert (view.empty, view.problem, view.models) == (True, None, [])
    assert "judge-tick" in markup.notice(view)


def test_a_broken_store_is_a_message(tmp_path: Path) -> None:
    """What cannot be read is said in a sentence, escaped."""
    (tmp_path / "d").write_text("no folder")
    broken = Records.open(str(tmp_path / "d"), tmp_path / "wal", FakeClock(), background=False)
    view = seen(broken)
    assert view.problem is not None
    assert "cannot be read" in markup.notice(view)
    assert "&lt;b&gt;" in markup.notice(View(Wanted(), problem="<b>"))


def test_reading_writes_nothing(tmp_path: Path) -> None:
    """A view leaves no file behind, and takes no segment of a writer that died."""
    with Records.open(str(tmp_path), tmp_path / "wal", FakeClock(), background=False) as writer:
        put(writer, requests=[request(1)])
    (tmp_path / "wal" / "left.wal").write_text("somebody's")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    reader = Records.open(str(tmp_path), tmp_path / "wal", FakeClock(), background=False)
    assert seen(reader).totals["answered"] == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_view_holds_all_that_is_on_the_page(records: Records) -> None:
    """Scores, decisions, refusals, rules and judging are read from their tables."""
    put(
        records,
        requests=[
            request(1),
            request(2, served="model-b", chosen="model-b"),
            refusal(3),
            request(4, surface="judge", served="judge", chosen="judge", cost=0.5),
            request(5, surface="guard", served="model-b", chosen="model-b", cost=0.25),
        ],
        scores=[score(1, 0.75)],
        weights=[*weights(NOON - 60, model_a=0.5), *weights(NOON, model_a=0.75)],
    )
    view = seen(records)
    assert view.names == ["model-a", "model-b"]
    assert [(row["model"], row["score"], row["samples"]) for row in view.models] == [
        ("model-a", 0.75, 10),
        ("model-b", 1.0, 0),
    ]
    assert [row["score"] for row in view.history] == [0.5, 0.75]
    assert [(row["question"], row["score"], row["reason"]) for row in view.decisions] == [
        ("question 2", None, None),
        ("question 1", 0.75, "reason 1"),
    ]
    assert [(row["question"], row["rule"]) for row in view.refusals] == [
        ("question 3", "bombs: making")
    ]
    assert [(row["rule"], row["count"]) for row in view.rules] == [("bombs: making", 1)]
    assert [row["cost"] for row in view.judges] == [0.5]
    assert [row["model"] for row in tables.models(view)] == [
        "model-a",
        "model-b",
        "judge (judging)",
        "model-b (guarding)",
    ]
    assert [row["cost"] for row in view.guards] == [0.25]


def test_a_view_has_every_rules_operating_point(records: Records) -> None:
    """Rules of all models, enforced or observed, with what people said of them in that time."""
    observed = request(2, verdicts=[verdict_of("drugs", "buying", mode="observe")])
    rows = [refusal(1), refusal(3), observed, refusal(4, at=NOON - 7200)]
    labels = [label(1, "confirmed"), label(3, "false_alarm"), label(4, "confirmed")]
    put(records, requests=rows, feedback=labels)
    view = seen(records, "Hour", "model-b")
    assert tables.cells(view.points, tables.POINTS) == {
        "Rule": ["bombs/topic/making", "drugs/topic/buying"],
        "Fired": ["2", "1"],
        "Enforced": ["2", "0"],
        "Observed": ["0", "1"],
        "Labelled": ["2", "0"],
        "False alarms": ["1", "0"],
        "Precision": ["0.50", text.NOTHING],
        "95 % interval": ["0.09 to 0.91", "0.00 to 1.00"],
        "Missed": ["0", "0"],
        "Recall at most": ["1.00", text.NOTHING],
    }
    said = markup.labels(view)
    assert "Labels in this time: 3; left out: 1 of requests that are not in this time." in said


def test_without_labels_the_page_says_how_to_give_some(records: Records) -> None:
    """And says nothing more once there are some that all count."""
    put(records, requests=[refusal(1)])
    assert "POST /feedback" in markup.labels(seen(records))
    put(records, feedback=[label(1, "confirmed")])
    assert "Labels in this time: 1." in markup.labels(seen(records))
    assert markup.labels(None) == ""


def test_what_had_left_of_blocked_streams_is_said(records: Records) -> None:
    """In all and at most; nothing while no stream was blocked."""
    put(records, requests=[request(1)])
    assert "No stream was blocked" in markup.leaks(seen(records))
    put(records, requests=[request(2, leaked=12_000), request(3, leaked=0)])
    said = markup.leaks(seen(records))
    assert "had begun: 2. Characters that had left before: 12.0k in all, 12.0k at most" in said
    assert "No stream was blocked" in markup.leaks(None)


def test_a_view_is_of_its_time_and_model(records: Records) -> None:
    """Both filters hold for the numbers, the figures and the decisions."""
    put(
        records,
        requests=[request(1, at=NOON - 7200), request(2), request(3, served="b", chosen="b")],
        weights=[*weights(NOON - 7200, model_a=0.5), *weights(NOON, model_a=0.6, b=0.7)],
    )
    hour = seen(records, "Hour", "model-a")
    assert hour.totals["answered"] == 1
    assert [row["question"] for row in hour.decisions] == ["question 2"]
    assert [row["model"] for row in hour.models] == ["model-a"]
    assert [row["score"] for row in hour.history] == [0.6]
    assert hour.names == ["b", "model-a"]
    everything = seen(records, "All")
    assert everything.totals["answered"] == 3
    assert [row["score"] for row in everything.history] == [0.7, 0.5, 0.6]


def test_without_a_publication_in_the_time_the_last_one_stands(records: Records) -> None:
    """Scores that did not change lately are still shown."""
    put(records, requests=[request(1)], weights=weights(NOON - 7200, model_a=0.5))
    assert [row["score"] for row in seen(records, "15 min").history] == [0.5]


def test_before_the_first_publication_there_is_no_line(records: Records) -> None:
    """A model that nobody judged has its starting score, and no history."""
    put(records, requests=[request(1)])
    view = seen(records)
    assert view.history == []
    assert [(row["score"], row["samples"]) for row in view.models] == [(1.0, 0)]


def test_a_long_history_is_thinned_to_the_last_of_each_part(records: Records) -> None:
    """A line has some 300 points, however many ticks there were; the last is the newest."""
    rows = [row for n in range(2000) for row in weights(NOON - 2000 + n, model_a=n / 2000)]
    put(records, requests=[request(1)], weights=rows)
    history = seen(records).history
    assert 250 <= len(history) <= 302
    assert history[-1]["score"] == 1999 / 2000


def test_views_are_equal_while_nothing_happens(records: Records) -> None:
    """Two readings of the same rows are equal, so that nothing is drawn again."""
    put(records, requests=[request(1)], scores=[score(1, 0.5)], weights=weights(model_a=0.5))
    assert seen(records, "All") == seen(records, "All", at=NOON + 5)


def test_markup_escapes_what_comes_from_records(records: Records) -> None:
    """No text of a user, a model or a judge becomes markup."""
    rows = [request(1, input=CANARY, output=CANARY, served=CANARY, route=CANARY)]
    rows.append(refusal(2, input=CANARY, error=CANARY, verdicts=[]))
    put(records, requests=rows, scores=[score(1, 0.5, reason=CANARY)])
    view = seen(records)
    pages = [markup.headlines(view), markup.notice(view), markup.status(view)]
    pages += [markup.labels(view), markup.leaks(view)]
    pages += [markup.details(row) for row in (*view.decisions, *view.refusals)]
    assert CANARY not in "".join(pages)
    assert "<script" not in "".join(pages)
    assert "<img" not in "".join(pages)
    assert "&lt;script&gt;canary()" in pages[-1]


def test_markup_has_its_say_before_the_first_view() -> None:
    """Until the store was read the page says so, and shows no number."""
    assert "Reading" in markup.notice(None)
    assert markup.status(None) == ""
    assert markup.details(None) == ""
    assert "answered" in markup.headlines(None)


def test_what_was_not_kept_is_said(records: Records) -> None:
    """Where privacy keeps texts out of records, the page says that they are not kept."""
    put(records, requests=[request(1, input=None, output=None)])
    (row,) = seen(records).decisions
    assert "not kept" in markup.details(row)


def test_tables_have_their_columns_without_rows() -> None:
    """An empty table keeps its columns, so that its cells stay plain."""
    assert tables.cells([], tables.RULES) == {"Refused by": [], "Requests": []}
    assert tables.cells([{"rule": "a: b", "count": 2}], tables.RULES) == {
        "Refused by": ["a: b"],
        "Requests": ["2"],
    }
