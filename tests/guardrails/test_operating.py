"""Operating points: what people's labels say of each rule, and no more than they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.inspection import FAILED
from ai_gateway.guardrails.operating import Point, Report, Rule, report, table
from ai_gateway.judge.weights import interval
from ai_gateway.records import Records, queries
from ai_gateway.settings import Settings
from tests.conftest import ROOT
from tests.dashboard.rows import NOON, FakeClock, label, refusal, request, verdict_of

MAKING, BUYING = verdict_of("bombs", "making"), verdict_of("drugs", "buying", mode="observe")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """An empty store."""
    return Records.open(str(tmp_path), tmp_path / "wal", FakeClock(), background=False)


def told(records: Records, requests: list[dict[str, Any]], labels: Any = ()) -> Report:
    """The report on these rows."""
    records.extend("requests", requests)
    records.extend("feedback", labels)
    records.flush()
    return report(records)


def points(found: Report) -> dict[str, dict[str, Any]]:
    """Of each rule by its name."""
    return {row["rule"]: row for row in found.rules}


def test_a_firing_is_a_request_in_which_a_rule_fired(records: Records) -> None:
    """Once, however often it found something there; enforced and observed beside each other."""
    rows = [
        refusal(1, verdicts=[MAKING, MAKING, {**MAKING, "stage": "tool"}, BUYING]),
        request(2, verdicts=[BUYING]),
        refusal(3, verdicts=[MAKING, verdict_of("bombs", FAILED)]),
        request(4, surface="shadow", verdicts=[BUYING]),
        request(5, verdicts=None),
    ]
    found = told(records, rows)
    counted = {
        name: (row["fired"], row["enforced"], row["observed"])
        for name, row in points(found).items()
    }
    assert counted == {"making": (2, 2, 0), "buying": (2, 0, 2)}
    assert (found.overall["fired"], len(found.checks)) == (4, 2)


def test_without_a_label_nothing_is_claimed(records: Records) -> None:
    """No share, and an interval of all that could be."""
    row = points(told(records, [refusal(1)]))["making"]
    for name in ("precision", "recall"):
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == (None, 0.0, 1.0)
    empty = told(records, [])
    assert empty.overall["precision"] is None


def test_precision_is_the_share_of_what_was_confirmed(records: Records) -> None:
    """Among the labelled firings alone, with Wilson's interval."""
    labels = [label(n, "confirmed") for n in range(1, 4)] + [label(4, "false_alarm")]
    row = points(told(records, [refusal(n) for n in range(1, 9)], labels))["making"]
    assert (row["fired"], row["labelled"], row["false_alarms"]) == (8, 4, 1)
    assert (row["precision"], row["weighted"]) == (0.75, False)
    assert (row["precision_low"], row["precision_high"]) == interval(0.75, 4)


def test_recall_is_of_what_was_confirmed_and_what_was_reported(records: Records) -> None:
    """A miss is of a rule, of a check, or of nobody knows what; the sums have them all."""
    requests = [refusal(1), refusal(2), request(3), request(4), request(5), request(6)]
    labels = [
        *(label(1, "confirmed"), label(2, "confirmed")),
        label(3, "missed", rule="making"),
        label(4, "missed", rule="bombs/topic"),
        label(5, "missed", rule=None),
        label(6, "missed", rule="topic/never-fired"),
    ]
    found = told(records, requests, labels)
    row = points(found)["making"]
    assert (row["missed"], row["recall"]) == (1, 2 / 3)
    assert (row["recall_low"], row["recall_high"]) == interval(2 / 3, 3)
    never = points(found)["never-fired"]
    assert (never["policy"], never["fired"], never["missed"], never["recall"]) == ("bombs", 0, 1, 0)
    (check,) = found.checks
    assert (check["missed"], check["recall"], check["rule"]) == (3, 0.4, "")
    assert (found.overall["missed"], found.overall["recall"]) == (4, pytest.approx(1 / 3))
    assert found.left_out == {"no_request": 0, "other_tenant": 0, "other_verdict": 0}


def test_a_miss_that_somebody_named_counts_once(records: Records) -> None:
    """Who says more precisely what was missed leaves the vaguer label without a count."""
    labels = [
        label(2, "missed", rule=None),
        label(2, "missed", rule="topic", rater="bob"),
        label(2, "missed", rule="making", rater="eve"),
        label(2, "missed", rule="bombs/topic/making"),
    ]
    found = told(records, [refusal(1), request(2)], labels)
    assert (points(found)["making"]["missed"], found.overall["missed"]) == (1, 1)


def test_the_newest_label_of_a_rater_counts(records: Records) -> None:
    """Whatever order the rows are in, and whichever of a rule's names each of them has."""
    labels = [
        label(1, "confirmed", at=NOON + 2),
        label(1, "false_alarm", at=NOON + 1),
        label(2, "confirmed", at=NOON + 1),
        label(2, "false_alarm", at=NOON + 2, rule="topic/making"),
    ]
    found = told(records, [refusal(1), refusal(2)], labels)
    row = points(found)["making"]
    assert (row["labelled"], row["false_alarms"]) == (2, 1)


def test_the_same_label_twice_counts_once(records: Records) -> None:
    """As a client sends that tries again."""
    labels = [label(1, "confirmed", at=NOON + n) for n in range(5)]
    found = told(records, [refusal(1)], labels)
    assert (found.labels, points(found)["making"]["labelled"]) == (1, 1)


@pytest.mark.parametrize(
    ("said", "false_alarms"),
    [
        (["confirmed", "confirmed", "false_alarm"], 0),
        (["confirmed", "false_alarm"], 1),
        (["confirmed", "false_alarm", "false_alarm"], 1),
    ],
)
def test_raters_who_disagree_make_one_label(
    records: Records, said: list[str], false_alarms: int
) -> None:
    """Half of them are enough for a false alarm."""
    labels = [label(1, each, rater=f"rater {n}") for n, each in enumerate(said)]
    row = points(told(records, [refusal(1)], labels))["making"]
    assert (row["labelled"], row["false_alarms"]) == (1, false_alarms)


def test_a_label_that_fits_no_record_is_left_out_and_counted(records: Records) -> None:
    """Of no request, of another tenant's, of a rule that did not fire, a miss of one that did."""
    labels = [
        label(1, "false_alarm", tenant="acme"),
        label(2, "false_alarm", tenant="acme"),
        label(1, "confirmed"),
        label(9, "confirmed"),
        label(3, "confirmed", rule="buying"),
        label(3, "missed", rule="making"),
        label(3, "missed", rule="topic", rater="bob"),
    ]
    requests = [refusal(1), refusal(2, tenant="acme"), refusal(3)]
    found = told(records, requests, labels)
    assert found.left_out == {"no_request": 1, "other_tenant": 1, "other_verdict": 3}
    row = points(found)["making"]
    assert (found.labels, row["labelled"], row["false_alarms"], row["missed"]) == (7, 2, 1, 0)


def test_a_verdict_may_name_its_rule_in_three_ways(records: Records) -> None:
    """By the rule, with its check, and with its policy too; a slash in a rule's name is no harm."""
    verdicts = [verdict_of("words", "and/or"), verdict_of("other", "and/or")]
    names = ["and/or", "topic/and/or", "words/topic/and/or"]
    labels = [label(n, "confirmed", rule=name) for n, name in enumerate(names)]
    found = told(records, [refusal(n, verdicts=verdicts) for n in range(3)], labels)
    assert {row["policy"]: row["labelled"] for row in found.rules} == {"words": 3, "other": 2}


def test_a_drawn_label_stands_for_the_others(records: Records) -> None:
    """Weighted by the inverse of its probability, with as many labels as that is worth."""
    labels = [
        label(1, "false_alarm", selection_probability=0.5),
        label(2, "confirmed", selection_probability=0.25),
        label(3, "confirmed"),
        label(4, "confirmed", selection_probability=0.0),  # which cannot be
    ]
    row = points(told(records, [refusal(n) for n in range(1, 5)], labels))["making"]
    assert row["weighted"]
    assert row["precision"] == pytest.approx(6 / 8)
    size = int(8**2 / (4 + 16 + 1 + 1))
    assert (row["precision_low"], row["precision_high"]) == interval(0.75, size)


weights = st.lists(st.floats(1, 1e300), max_size=30)


@given(weights, weights)
def test_shares_are_shares_whatever_the_weights(right: list[float], wrong: list[float]) -> None:
    """An interval lies in 0..1 round its share, and no narrower than that of as many labels."""
    row = Point(right=right, wrong=wrong).row(Rule())
    low, value, high = row["precision_low"], row["precision"], row["precision_high"]
    if value is not None:
        assert 0 <= low <= value <= high <= 1
        plain = interval(value, len(right) + len(wrong))
        assert high - low >= plain[1] - plain[0] - 1e-9


@given(st.integers(0, 300), st.integers(0, 300), st.floats(1, 1e6))
def test_weights_that_are_equal_change_nothing(right: int, wrong: int, weight: float) -> None:
    """A sample drawn with one probability says what its labels say."""
    drawn = Point(right=[weight] * right, wrong=[weight] * wrong).row(Rule())
    plain = Point(right=[1.0] * right, wrong=[1.0] * wrong).row(Rule())
    names = ("precision", "precision_low", "precision_high")
    assert [drawn[n] for n in names] == pytest.approx([plain[n] for n in names])


def test_a_report_is_of_its_time(records: Records) -> None:
    """Requests and labels before it do not count; a label of an earlier request says so."""
    told(
        records,
        [refusal(1, at=NOON - 60), refusal(2)],
        [label(1, "confirmed"), label(2, "confirmed", at=NOON - 60)],
    )
    found = report(records, NOON - 1)
    assert (found.overall["fired"], found.labels, found.left_out["no_request"]) == (1, 1, 1)


def test_the_table_shows_names_that_a_label_may_have(records: Records) -> None:
    """Its own, its check's and all; what steers a terminal is shown, not sent."""
    rows = [refusal(1, verdicts=[MAKING, verdict_of("bombs", "a\x1b[2J")])]
    shown = table(told(records, rows, [label(1, "confirmed", selection_probability=0.5)]))
    assert "\x1b" not in shown
    lines = shown.splitlines()
    making = next(line for line in lines if line.startswith("bombs/topic/making "))
    assert "1.00 (0.21 to 1.00) weighted" in making
    assert lines[-1] == "labels: 1; left out: no_request 0, other_tenant 0, other_verdict 0"
    assert [line.split()[0] for line in lines[3:5]] == ["bombs/topic/*", "*"]


def test_the_command_reads_and_writes_nothing(tmp_path: Path) -> None:
    """No bundle, no key; JSON on demand, of the last days; a dead writer's segment stays."""
    data = tmp_path / "data"
    with Records.open(str(data), data / "wal", FakeClock(), background=False) as writer:
        told(writer, [refusal(1)], [label(1, "false_alarm")])
    (data / "wal" / "left.wal").write_text("somebody's")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    environment = {**Settings.read().variables, "GATEWAY_DATA": str(data)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "ai_gateway.guardrails.operating", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True
        ).stdout

    found = json.loads(run("--json"))
    assert (found["labels"], found["rules"][0]["precision"]) == (1, 0.0)
    assert "bombs/topic/making" in run("--data", str(data))
    assert json.loads(run("--json", "--days", "0.001"))["rules"] == []
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_leaks_are_of_streams_that_were_cut(records: Records) -> None:
    """How many, how much in all, and the most; a stream that lost nothing counts as one."""
    assert queries.leaks(records) == {"streams": 0, "characters": None, "most": None}
    rows = [request(1, leaked=120), request(2, leaked=0), request(3), refusal(4, leaked=30)]
    told(records, [*rows, request(5, surface="shadow", leaked=999)])
    assert queries.leaks(records) == {"streams": 3, "characters": 150, "most": 120}
