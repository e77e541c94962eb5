"""The files of a table by their names alone: what a reader that polls can afford."""

from __future__ import annotations

from typing import Final

from ai_gateway.records.objects import Entry, Objects

#: How the names of what readers read end.
SUFFIX: Final = ".parquet"


def newest_entry(objects: Objects, table: str, after: str = "") -> Entry | None:
    """The table's newest file, if its path is beyond ``after``.

    At most two LIST requests while ``after`` is the path that this returned last.
    """
    for folder in reversed(objects.folders(table)):
        prefix = f"{table}/{folder}"
        if prefix < after[: len(prefix)]:
            return None
        found = [each for each in objects.entries(prefix, after) if each.path.endswith(SUFFIX)]
        if found:
            return found[-1]
    return None


def every_entry(objects: Objects, table: str) -> list[Entry]:
    """All files of the table; what is not named like one is left alone."""
    return [each for each in objects.below(table) if each.path.endswith(SUFFIX)]
