"""What is left for a judge: recorded answers that one prompt has not judged yet.

The ids of the answers are read first, then those of the scores; only the rows that were drawn are
read with their texts, and of their files only the row groups that hold them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import tables
from ai_gateway.records.objects import Entry
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import REQUESTS, SCORES
from ai_gateway.records.tables import Condition

_IDS: Final = ("request_id", "surface", "status", "privacy", "selection")
_FAILURES: Final = ("request_id", "prompt", "outcome", "attempt", "retry_at")
#: Surfaces whose answers are no text that answers a question.
_WORDLESS: Final = (
    *("embeddings", "rerank", "ranking", "infer", "count_tokens"),
    *("images", "image_edits", "image_variations", "speech", "transcriptions", "translations"),
)
#: What is recorded of a text under these can be judged.
_LEGIBLE: Final = ("full", "redacted")
#: Answers of a model that somebody got: no calls of the gateway's own, no shadows, and nothing that
#: a target or a cache answered.
_ANSWERED: Final[list[Condition]] = [
    ("status", "==", 200),
    ("surface", "not in", ["judge", "cache", "guard", "proxy", "shadow", *_WORDLESS, None]),
    ("selection", "!=", "cache"),
]


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
    waiting: pa.ChunkedArray
    attempts: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Answers:
    """Answers with their places among all rows of ``files``; some may be there twice."""

    places: pa.ChunkedArray
    ids: pa.ChunkedArray

    def less(self, ids: pa.ChunkedArray) -> _Answers:
        """Those whose request is not among ``ids``."""
        if not len(ids) or not len(self.ids):
            return self
        rest = pc.invert(pc.is_in(self.ids, value_set=ids))
        return _Answers(self.places.filter(rest), self.ids.filter(rest))

    def once(self) -> pa.ChunkedArray:
        """The places, of each answer the first one."""
        return tables.drop(self.places, tables.repeated(self.ids))


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
        starts, allowed, forbidden = _answers(reader, files, since)
        tables.release_memory()
        candidates = allowed.less(judged.done)
        due = candidates.less(judged.waiting).once()
        drawn = random.sample(range(len(due)), min(limit, len(due)))
        places = due.take(tables.integers(drawn)).to_pylist()
        wanted = dict.fromkeys(["request_id", *(columns or REQUESTS.names)])
        rows = reader.fetch("requests", files, starts, places, list(wanted))
        return Unjudged(
            rows=_numbered(rows, judged.attempts),
            probability=len(drawn) / len(due) if len(due) else 1.0,
            due=len(due),
            waiting=len(candidates.once()) - len(due),
            forbidden=len(forbidden.less(judged.done).once()),
        )

    return reader.steady(attempt)


def _judged(reader: Reader, prompt: str, since: float, now: float) -> _Judged:
    """A score is younger than its request, so that ``since`` bounds both.

    A score that is there twice does no harm, so that their keys are not read.
    """
    none = tables.empty(SCORES).select(_FAILURES)
    files = reader.files("scores", since)
    found = reader.each(lambda entry: _scores(reader, entry, prompt), files)
    failed = pa.concat_tables([none, *(table for _, failures in found for table in failures)])
    waiting = failed.filter(tables.mask(failed, [("retry_at", ">", tables.moment(now))]))
    return _Judged(
        done=tables.chunks(pa.string(), [done for done, _ in found]),
        waiting=waiting["request_id"],
        attempts=_attempts(failed),
    )


def _scores(reader: Reader, entry: Entry, prompt: str) -> tuple[pa.ChunkedArray, list[pa.Table]]:
    """The requests of one file's ended scores, and its failed ones, if there are any."""
    scores = reader.read("scores", entry, _FAILURES[:3])
    asked = ("prompt", "==", prompt)
    ended = tables.mask(scores, [asked, ("outcome", "in", ["scored", "given_up"])])
    done = scores["request_id"].filter(ended)
    failing = [asked, ("outcome", "==", "failed")]
    if not pc.any(tables.mask(scores, failing)).as_py():
        return done, []
    failures = reader.read("scores", entry, _FAILURES)
    return done, [failures.filter(tables.mask(failures, failing))]


def _attempts(failed: pa.Table) -> dict[str, int]:
    attempts: dict[str, int] = {}
    pairs = zip(failed["request_id"].to_pylist(), failed["attempt"].to_pylist(), strict=True)
    for request_id, attempt in pairs:
        attempts[request_id] = max(attempts.get(request_id, 0), attempt or 0)
    return attempts


def _answers(
    reader: Reader, files: Sequence[Entry], since: float
) -> tuple[list[int], _Answers, _Answers]:
    """Where each file's rows start, the answers that may be read, and those that may not."""
    first = f"/date={tables.date_of(since)}/"

    def one(entry: Entry) -> tuple[int, _Answers, _Answers]:
        # A date's files hold that date's rows only: all but the first date's are young enough.
        cut = tables.between("received_at", since, None) if first in entry.path else []
        columns = [*_IDS, *(column for column, _, _ in cut)]
        rows = reader.read("requests", entry, columns, present="output")
        answered = tables.mask(rows, [*_ANSWERED, *cut])
        legible = pc.or_(*(tables.mask(rows, [("privacy", "==", kept)]) for kept in _LEGIBLE))
        allowed = pc.and_(pc.and_(answered, legible), rows["present"])
        forbidden = pc.and_(answered, pc.invert(legible))
        return rows.num_rows, _pick(rows, allowed), _pick(rows, forbidden)

    found = reader.each(one, files)
    starts = list(itertools.accumulate((rows for rows, _, _ in found), initial=0))
    allowed = _shifted(starts, [answers for _, answers, _ in found])
    return starts, allowed, _shifted(starts, [answers for _, _, answers in found])


def _pick(rows: pa.Table, chosen: pa.ChunkedArray) -> _Answers:
    return _Answers(tables.places(chosen), rows["request_id"].filter(chosen))


def _shifted(starts: Sequence[int], parts: Sequence[_Answers]) -> _Answers:
    """One whole of the files' answers."""
    places = [
        pc.add(pc.cast(part.places, pa.int64()), start)
        for start, part in zip(starts, parts, strict=False)
    ]
    ids = [part.ids for part in parts]
    return _Answers(tables.chunks(pa.int64(), places), tables.chunks(pa.string(), ids))


def _numbered(rows: pa.Table, attempts: dict[str, int]) -> pa.Table:
    """``rows`` with the number of the attempt that each is due for."""
    ids = rows["request_id"].to_pylist()
    numbers = tables.integers(attempts.get(each, 0) + 1 for each in ids)
    return rows.append_column("attempt", numbers.cast(pa.int16()))
