"""The judge's search: what is due, once, and drawn with the probability that it says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ai_gateway.records import Records, to_rows
from ai_gateway.records.objects import Folder
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import REQUESTS
from ai_gateway.records.unjudged import Unjudged, unjudged
from tests.records.conftest import DAY, NOON, FakeClock, request_row, score_row


def search(records: Records, limit: int = 100, **options: Any) -> Unjudged:
    """What is due for the prompt ``p.v1``."""
    return records.unjudged("p.v1", NOON - DAY, limit, Random(1), **options)


def due(records: Records) -> list[str]:
    """The ids of it, sorted."""
    return sorted(search(records).rows["request_id"].to_pylist())


def test_answers_of_models_are_due(records: Records) -> None:
    """Not due: what was refused, failed, proxied, has no output, is too old or the judge's own."""
    records.extend(
        "requests",
        [
            request_row(1),
            request_row(2, status=403),
            request_row(3, output=None),
            request_row(4, surface="judge"),
            request_row(5, surface="proxy"),
            request_row(6, surface=None),
            request_row(7, at=NOON - DAY - 1),
            request_row(8, at=NOON - DAY),
            request_row(9, surface="chat"),
            request_row(10, status=None),
        ],
    )
    records.flush()
    assert due(records) == ["r1", "r8", "r9"]


def test_what_may_not_be_read_is_counted(records: Records) -> None:
    """Hashed and none keep an answer from the judge, whether its text was kept or not."""
    rows = [
        request_row(1),
        request_row(2, privacy="none", output=None),
        request_row(3, privacy="hashed", output="ab12"),
        request_row(4, privacy=None),
        request_row(5, privacy="none", status=500),
        request_row(6, privacy="none", output=None),
        request_row(7, privacy="redacted"),
    ]
    records.extend("requests", rows)
    records.append("scores", score_row("r6"))
    records.flush()
    found = search(records)
    assert (found.due, found.forbidden) == (2, 3)


def test_a_score_or_a_giving_up_ends_it(records: Records, clock: FakeClock) -> None:
    """For that prompt; a failure asks for another attempt when its time has come."""
    records.extend("requests", [request_row(number) for number in range(7)])
    later, earlier = round((NOON + 60) * 1e6), round((NOON - 60) * 1e6)
    records.extend(
        "scores",
        [
            score_row("r1"),
            score_row("r2", outcome="given_up"),
            score_row("r3", outcome="failed", retry_at=later),
            score_row("r4", outcome="failed", retry_at=earlier),
            score_row("r4", outcome="failed", retry_at=earlier, attempt=2),
            score_row("r5", outcome="failed", retry_at=None),
            score_row("r6", prompt="p.v2"),
        ],
    )
    records.flush()
    found = search(records)
    attempts = {row["request_id"]: row["attempt"] for row in to_rows(found.rows)}
    assert attempts == {"r0": 1, "r4": 3, "r5": 2, "r6": 1}
    assert (found.due, found.waiting, found.probability) == (4, 1, 1.0)
    clock.time += 61
    assert due(records) == ["r0", "r3", "r4", "r5", "r6"]


def test_an_answer_in_two_files_is_due_once(records: Records, clock: FakeClock) -> None:
    """As after a compaction that was killed."""
    for _ in range(2):
        clock.time += 1
        records.extend("requests", [request_row(1), request_row(2)])
        records.flush()
    assert due(records) == ["r1", "r2"]
    assert search(records).due == 2


def test_a_sample_says_its_probability(records: Records) -> None:
    """At most ``limit`` are drawn, each as likely as another; nothing due is certain."""
    records.extend("requests", [request_row(number) for number in range(10)])
    records.flush()
    counts: Counter[str] = Counter()
    for seed in range(100):
        found = records.unjudged("p.v1", NOON - DAY, 3, Random(seed), ["request_id"])
        assert (found.rows.num_rows, found.probability, found.due) == (3, 0.3, 10)
        counts.update(found.rows["request_id"].to_pylist())
    assert all(12 < counts[f"r{number}"] < 50 for number in range(10))
    assert search(records, limit=0).probability == 0.0
    assert records.unjudged("p.v1", NOON + DAY, 3, Random(1)).probability == 1.0


def test_the_same_seed_draws_the_same(records: Records) -> None:
    """The draw follows from the records and the random source alone."""
    records.extend("requests", [request_row(number) for number in range(10)])
    records.flush()
    assert search(records, limit=3).rows.equals(search(records, limit=3).rows)


def test_the_columns_that_are_asked_for(records: Records) -> None:
    """With the request's id and the attempt always, and all columns by default."""
    records.append("requests", request_row(1))
    records.flush()
    some = search(records, columns=["input"]).rows
    assert some.column_names == ["request_id", "input", "attempt"]
    assert set(search(records).rows.column_names) == {*REQUESTS.names, "attempt"}


def test_rows_are_taken_from_their_own_places(records: Records, clock: FakeClock) -> None:
    """Whatever file and row group an answer is in, its own text comes with it."""
    for part in range(3):
        clock.time += 1
        numbers = range(part * 700, part * 700 + 700)
        rows = [
            request_row(n, status=200 if n % 3 else 403, output=f"answer {n}" if n % 3 else None)
            for n in numbers
        ]
        records.extend("requests", rows)
        records.flush()
    found = search(records, limit=300)
    assert found.rows.num_rows == 300
    for row in to_rows(found.rows):
        assert row["output"] == f"answer {row['request_id'][1:]}"


def test_files_of_other_hands_are_searched_too(tmp_path: Path) -> None:
    """Without statistics, with answered and refused rows mixed, or without an output at all."""
    folder = tmp_path / "requests/date=2026-03-01"
    folder.mkdir(parents=True)
    time = pa.array([round(NOON * 1e6)] * 2, REQUESTS.field("received_at").type)
    base = {
        "received_at": time,
        "surface": ["chat"] * 2,
        "status": pa.array([200] * 2, pa.int16()),
        "privacy": ["full"] * 2,
    }
    mixed = {"request_id": ["a", "b"], "output": ["x", None]}
    pq.write_table(pa.table({**base, **mixed}), folder / "mixed.parquet")
    blind = {"request_id": ["c", "d"], "output": ["x", None]}
    pq.write_table(pa.table({**base, **blind}), folder / "blind.parquet", write_statistics=False)
    pq.write_table(pa.table({**base, "request_id": ["e", "f"]}), folder / "none.parquet")
    found = unjudged(
        Reader(Folder(tmp_path)), "p.v1", now=NOON, since=0.0, limit=9, random=Random(1)
    )
    assert sorted(found.rows["request_id"].to_pylist()) == ["a", "c"]
