"""Takes rows out of stored files.

No store has to change an object: what is left of a file is written whole under a name of its own,
and the old one goes afterwards. Killed in between, rows are there twice, which readers take once,
and the next run meets the old file again. A file of a later version keeps the columns that this
version does not know.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ai_gateway.records import encoding, tables
from ai_gateway.records.objects import Entry, content
from ai_gateway.records.reading import Reader
from ai_gateway.records.schema import Table

log = logging.getLogger(__name__)

#: Which rows of a table with the columns that were asked for are meant.
Mask = Callable[[pa.Table], pa.ChunkedArray]
_REWRITTEN: Final = re.compile(r"(\.[0-9a-f]{12})?\.parquet$")


@dataclass(frozen=True, slots=True)
class Change:
    """A file that lost rows; ``written`` is what holds the rest, None where nothing was left.

    Digests are SHA-256 in hex, of whole files.
    """

    table: str
    path: str
    sha256: str
    rows: int
    dropped: int
    written: str | None = None
    written_sha256: str | None = None


def places(reader: Reader, name: Table, entry: Entry, columns: Sequence[str], mask: Mask) -> Found:
    """The rows of a file that ``mask`` means; raises ArrowInvalid where it cannot be read."""
    with reader.open(entry) as file:
        read = tables.select(name, file, columns)
    return Found(read, mask(read))


@dataclass(frozen=True, slots=True)
class Found:
    """Some columns of a file, and which of its rows are meant."""

    read: pa.Table
    mask: pa.ChunkedArray

    @property
    def count(self) -> int:
        """How many are meant."""
        return pc.sum(self.mask).as_py() or 0

    @property
    def places(self) -> str:
        """A digest of where those stand; encrypted, the same rows are never the same bytes."""
        found = tables.places(self.mask)
        return hashlib.sha256(found.buffers()[1] or b"").hexdigest()

    @property
    def rows(self) -> pa.Table:
        """Those that are meant."""
        return self.read.filter(self.mask)


def rewrite(reader: Reader, name: Table, entry: Entry, found: Found) -> Change:
    """Write what is left of a file without the rows that were found; the file itself stays.

    Raises ArrowInvalid where that cannot be read.
    """
    data = content(reader.objects, entry)
    before = hashlib.sha256(data).hexdigest()
    count = found.count
    if count == found.read.num_rows:
        return Change(name, entry.path, before, count, count)
    with reader.parquet(entry, pa.BufferReader(data)) as file:
        metadata: Mapping[bytes, bytes] | None = file.schema_arrow.metadata
        kept = file.read(use_threads=False).filter(pc.invert(found.mask))
    rest = encoding.to_parquet(name, kept, metadata, reader.objects.keyring)
    after = hashlib.sha256(rest).hexdigest()
    path = _name(entry.path, f"{before} {found.places}")
    reader.objects.put(path, rest)
    return Change(name, entry.path, before, found.read.num_rows, count, path, after)


def _name(path: str, digest: str) -> str:
    """Sorts beside the file whose rest it is, and is another for another rest."""
    own = hashlib.sha256(f"{path} {digest}".encode()).hexdigest()[:12]
    return f"{_REWRITTEN.sub('', path)}.{own}.parquet"


def delete(reader: Reader, paths: Sequence[str]) -> None:
    """Remove objects, several at once."""
    reader.each(reader.objects.delete, paths)
