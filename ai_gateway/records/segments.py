"""The write-ahead folder: one segment a process, held by an exclusive lock while it lives.

A segment is lines of ``TABLE CRC32 JSON``, or of ``encrypted KEY BASE64`` that hold such lines.
``flock`` works on local disks and on NFS alike, and is gone with its process, so that a lock that
can be had means a segment whose writer is dead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_gateway.records.keyring import Keyring, LineCipher

SUFFIX = ".wal"
#: Lines that no table takes are kept beside the segments, in a file of the segment's name.
BAD_SUFFIX = ".bad"
Write = Callable[[int, bytes], int]
#: Bytes that are read of a segment at a time, some 1000 rows: their way to a table then takes the
#: same memory again and again, while a whole segment's takes new pages from the system.
_PIECE = 1 << 21


def frame(table: str, body: bytes) -> bytes:
    """``body`` as a segment's line."""
    return b"%b %08x %b\n" % (table.encode(), zlib.crc32(body), body)


@dataclass(frozen=True, slots=True)
class Lines:
    """A piece of a segment, taken apart."""

    #: By table the bodies of its lines, which are no copies.
    bodies: dict[bytes, list[memoryview]]
    #: Lines whose checksum does not hold, without their newlines.
    damaged: list[bytes]
    #: Whether the last line lacks its end, and is left out.
    torn: bool


def split(data: bytes) -> Lines:
    """All whole lines of ``data``, without a copy of them."""
    view = memoryview(data)
    bodies: dict[bytes, list[memoryview]] = {}
    damaged: list[bytes] = []
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        space = data.find(b" ", start, end)
        body = view[space + 10 : end]
        if space >= 0 and data[space + 1 : space + 10] == b"%08x " % zlib.crc32(body):
            bodies.setdefault(data[start:space], []).append(body)
        else:
            damaged.append(data[start:end])
        start = end + 1
    return Lines(bodies, damaged, start < len(data))


def unframe(line: bytes) -> tuple[str, bytes] | None:
    """The table and body of a line without its newline; None for one that was damaged."""
    for table, (body,) in split(line + b"\n").bodies.items():
        return table.decode("ascii", "replace"), bytes(body)
    return None


@dataclass(slots=True)
class Segment:
    """One file of lines that this process holds the lock of."""

    path: Path
    descriptor: int
    #: Seconds since the epoch; 0 for an adopted one.
    created: float
    #: Bytes that are known to be whole lines.
    size: int = 0
    rows: int = 0
    #: True for a segment whose writer died.
    adopted: bool = False
    #: Encrypts what is appended; None where nothing is.
    cipher: LineCipher | None = None
    _torn: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """Unique, and later segments' names sort later."""
        return self.path.stem

    def append(self, data: bytes, rows: int, write: Write) -> None:
        """Add whole lines, or raise OSError and leave none of them behind."""
        if self._torn:
            os.ftruncate(self.descriptor, self.size)
        self._torn = True
        if self.cipher is not None:
            data = self.cipher.line(self.size, data)
        written = write(self.descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, "The disk took a part of a line only")
        self._torn = False
        self.size += written
        self.rows += rows

    def read(self) -> bytes:
        """All whole lines; of an adopted segment all that is there."""
        return os.pread(self.descriptor, self._end(), 0)

    def pieces(self, size: int = _PIECE) -> Iterator[bytes]:
        """The same, some ``size`` bytes at a time; only the last may end within a line."""
        start, end = 0, self._end()
        while start < end:
            wanted = min(size, end - start)
            data = os.pread(self.descriptor, wanted, start)
            last = start + wanted == end
            whole = len(data) if last else data.rfind(b"\n") + 1
            if whole:
                yield data[:whole]
            else:  # a line that is longer than that
                size *= 2
            start = end if last else start + whole

    def _end(self) -> int:
        return os.fstat(self.descriptor).st_size if self.adopted else self.size

    def empty(self) -> None:
        """Take out all that is in it; raises OSError."""
        os.ftruncate(self.descriptor, 0)
        self.size = self.rows = 0
        self._torn = False

    def remove(self) -> None:
        """Delete the file, then let go of its lock."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go of the lock and leave the file to the next who opens the folder."""
        os.close(self.descriptor)


def new_name(now: float) -> str:
    """A name that no other file has, and that sorts behind those of earlier ones."""
    return f"{int(now * 1e6):016d}-{secrets.token_hex(4)}"


def create(folder: Path, now: float, keyring: Keyring | None = None) -> Segment:
    """A new, locked segment; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / f"{new_name(now)}{SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR
        descriptor = os.open(path, flags, 0o600)
        # Between its creation and its lock a recovery may have taken the empty file away.
        if _lock(descriptor, path):
            cipher = keyring.lines_of(path.stem) if keyring else None
            return Segment(path, descriptor, now, cipher=cipher)


def adopt(path: Path) -> Segment | None:
    """The segment of a dead process, now ours; None if its writer lives or another took it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    if not _lock(descriptor, path):
        return None
    return Segment(path, descriptor, created=0.0, adopted=True)


def abandoned(folder: Path, own: frozenset[Path]) -> list[Path]:
    """Segments that are not ``own``, oldest first; most belong to living processes."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path not in own)


def _lock(descriptor: int, path: Path) -> bool:
    """Lock the file, unless another has it or has deleted it; closes it on failure."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return True
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return False
