"""What is left for a judge: recorded answers that one prompt has not judged yet.

The ids of the answers are read first, then those of the scores; only the rows that were drawn are
read with their texts, and of their files only the row groups that hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import tables
from ai_gateway.records.reading import Reader, Rows
from ai_gateway.records.schema import REQUESTS

#: The gateway's own calls, and what no model answered.
NOT_JUDGED: Final = ("judge", "proxy")
_IDS: Final = ("request_id", "received_at", "surface", "status", "privacy")
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Answers to judge, and what they are a sample of."""

    #: Columns of ``requests``, and ``attempt``: the number of the attempt that is due, from 1.
    rows: pa.Table
    #: With which each of the answers that are due was drawn; 1 when all were.
    probability: float
    #: Answers that are due, drawn or not.
    due: int
    #: Answers whose last attempt failed and whose time has not come.
    waiting: int
    #: Answers whose privacy forbids reading them.
    forbidden: int


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the scores say: who is done, who has to wait, and the attempts of all that failed."""

    done: pa.ChunkedArray
    waiting: pa.Array
    attempts: dict[str, int]


def unjudged(
    reader: Reader,
    prompt: str,
    *,
    now: float,
    since: float,
    limit: int,
    random: Random,
    columns: Sequence[str] | None = None,
) -> Unjudged:
    """A uniform sample, without replacement, of at most ``limit`` answers that are due.

    Due is what was received after ``since``, answered with 200 and an output, is no call of the
    judge's and no proxied one, may be read, has no score of ``prompt`` that is ``scored`` or
    ``given_up``, and whose last ``failed`` one asks for a retry before ``now``.
    """

    def attempt() -> Unjudged:
        judged = _judged(reader, prompt, since, now)
        files = reader.files("requests", since)
        answers = reader.rows("requests", files, _IDS, present="output")
        open_answers = _answered(answers.table, since)
        forbidden = _less(answers, _places(answers, open_answers, "!="), judged.done)
        candidates = _less(answers, _places(answers, open_answers, "=="), judged.done)
        due = _less(answers, candidates, judged.waiting)
        drawn = random.sample(range(len(due)), min(limit, len(due)))
        places = due.take(pa.array(drawn, pa.int64())).to_pylist()
        wanted = dict.fromkeys(["request_id", *(columns or REQUESTS.names)])
        rows = reader.fetch("requests", answers, places, list(wanted))
        return Unjudged(
            rows=_numbered(rows, judged.attempts),
            probability=len(drawn) / len(due) if len(due) else 1.0,
            due=len(due),
            waiting=len(candidates) - len(due),
            forbidden=len(forbidden),
        )

    return reader.steady(attempt)


def _judged(reader: Reader, prompt: str, since: float, now: float) -> _Judged:
    """A score is younger than its request, so that ``since`` bounds both."""
    of_prompt = [("prompt", "==", prompt)]
    columns = ["request_id", "outcome", "attempt", "retry_at"]
    scores = reader.scan("scores", columns, since=since, where=of_prompt)
    ended = tables.mask(scores, [("outcome", "in", ["scored", "given_up"])])
    failed = scores.filter(pc.invert(ended))
    waiting = failed.filter(tables.mask(failed, [("retry_at", ">", tables.moment(now))]))
    return _Judged(
        done=scores["request_id"].filter(ended),
        waiting=waiting["request_id"],
        attempts=_attempts(failed),
    )


def _attempts(failed: pa.Table) -> dict[str, int]:
    attempts: dict[str, int] = {}
    pairs = zip(failed["request_id"].to_pylist(), failed["attempt"].to_pylist(), strict=True)
    for request_id, attempt in pairs:
        attempts[request_id] = max(attempts.get(request_id, 0), attempt or 0)
    return attempts


def _answered(ids: pa.Table, since: float) -> pa.ChunkedArray:
    conditions = [
        ("status", "==", _OK),
        ("surface", "not in", [*NOT_JUDGED, None]),
        ("received_at", ">=", tables.moment(since)),
    ]
    return tables.mask(ids, conditions)


def _places(answers: Rows, answered: pa.ChunkedArray, operator: str) -> pa.Array:
    """The places of the answers that are (``==``) or are not (``!=``) kept in full, each once."""
    full = tables.mask(answers.table, [("privacy", operator, "full")])
    if operator == "==":
        full = pc.and_(full, answers.table["present"])
    places = pc.indices_nonzero(pc.and_(answered, full))
    ids = answers.table["request_id"].take(places)
    return tables.drop(places, tables.repeated(ids))


def _less(answers: Rows, places: pa.Array, ids: pa.ChunkedArray) -> pa.Array:
    """``places`` without those whose request is among ``ids``."""
    if not len(ids):
        return places
    known = pc.is_in(answers.table["request_id"].take(places), value_set=ids)
    return places.filter(pc.invert(known.combine_chunks()))


def _numbered(rows: pa.Table, attempts: dict[str, int]) -> pa.Table:
    """``rows`` with the number of the attempt that each is due for."""
    numbers = [attempts.get(each, 0) + 1 for each in rows["request_id"].to_pylist()]
    return rows.append_column("attempt", pa.array(numbers, pa.int16()))
