"""All that is held on somebody, as lines of JSON that a person can read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from ai_gateway import strictjson
from ai_gateway.records import Records
from ai_gateway.records.subject import Subject

#: Rows of one export through the API.
MOST: Final = 100_000
#: Columns that hold JSON as a text, and those that hold microseconds since the epoch.
_JSON: Final = frozenset({"request", "usage", "price", "before", "after"})
_TIMES: Final = frozenset(
    {"at", "created_at", "received_at", "requested_at", "judged_at", "retry_at"}
    | {"expires_at", "revoked_at", "retire_at"}
)


def lines(records: Records, subject: Subject, most: int | None = None) -> Iterator[bytes]:
    """One line a row, ``{"table", "row"}``, and a last one that says how many those were.

    Its ``complete`` is False where there are more than ``most``. Raises StoreUnavailable.
    """
    found = records.held(subject)
    rows: Counter[str] = Counter()
    for table, row in islice(found, most):
        rows[table] += 1
        yield line({"table": table, "row": readable(row)})
    yield line({"end": {"rows": dict(rows), "complete": next(found, None) is None}})


def line(value: Mapping[str, Any]) -> bytes:
    """``value`` on one line."""
    return strictjson.dumps(value) + b"\n"


def readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times as ISO 8601, JSON in texts as what it says, and nothing of what is null."""
    return {name: _read(name, value) for name, value in row.items() if value is not None}


def _read(name: str, value: Any) -> Any:
    if name in _TIMES:
        return datetime.fromtimestamp(value / 1e6, timezone.utc).isoformat()
    if name in _JSON and isinstance(value, str):
        try:
            return orjson.loads(value)
        except ValueError:  # a digest, where the route's privacy is ``hashed``
            return value
    return value


def write(records: Records, subject: Subject, to: Path) -> dict[str, int]:
    """All of it into ``to``: a file ``*.jsonl``, else a folder with a file a table; the rows.

    Nobody else may read them. What is there is not written over: FileExistsError. Raises OSError.
    """
    rows: Counter[str] = Counter()
    with ExitStack() as stack:
        opened = cache(lambda path: stack.enter_context(_private(path)))
        whole = to.suffix == ".jsonl"
        if whole:
            opened(to)
        else:
            to.mkdir(mode=0o700, parents=True)
        for table, row in records.held(subject):
            rows[table] += 1
            file = opened(to if whole else to / f"{table}.jsonl")
            file.write(line({"table": table, "row": readable(row)}))
    return dict(rows)


def _private(path: Path) -> BinaryIO:
    return open(path, "xb", opener=partial(os.open, mode=0o600))
