"""The files that a bundle consists of, read together, and one of them changed whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ai_gateway.clock import Clock
from ai_gateway.errors import Conflict
from ai_gateway.manifest.load import FOLDERS, MANIFEST

#: Held by the one process, of those on one folder, that changes it.
LOCK: Final = ".admin.lock"
#: How long a change waits for another one, in seconds.
PATIENCE: Final = 10.0
_PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Files:
    """Content by path below the bundle, with ``/`` between its parts."""

    contents: Mapping[str, bytes]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for name, content in sorted(self.contents.items()):
            digest.update(f"{name} {len(content)} ".encode() + content)
        object.__setattr__(self, "digest", digest.hexdigest())

    def changed(self, name: str, content: bytes | None) -> Files:
        """With ``content`` at ``name``, or nothing there where it is None."""
        rest = {other: data for other, data in self.contents.items() if other != name}
        return Files(rest if content is None else {**rest, name: content})


def read(folder: Path) -> Files:
    """The bundle in ``folder``; a file that cannot be read is not there."""
    paths = [folder / MANIFEST]
    for name in FOLDERS:
        paths += (folder / name).glob("*")
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return Files(found)


def copy(files: Files, beside: Path, folder: Path) -> None:
    """Make ``folder`` the bundle of ``files``, with links to all else that is in ``beside``."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path in beside.iterdir():
        if path.name not in (MANIFEST, *FOLDERS):
            (folder / path.name).symlink_to(path.resolve())
    for name, content in files.contents.items():
        (folder / name).write_bytes(content)


def write(folder: Path, name: str, content: bytes | None) -> None:
    """Put one file in place, on the disk before this returns; None removes it.

    A reader sees the old file or the new one. A link is followed, so that it stays one.
    """
    path = (folder / name).resolve()
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(exist_ok=True)
        temporary = folder / f".admin.{secrets.token_hex(8)}.tmp"
        try:
            _write_new(temporary, content, path)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    _sync(path.parent)


def _write_new(path: Path, content: bytes, like: Path) -> None:
    with path.open("xb") as file:
        if like.exists():
            os.fchmod(file.fileno(), like.stat().st_mode & 0o777)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path, clock: Clock) -> Iterator[None]:
    """Hold the bundle in ``folder`` alone, among threads and processes; raises Conflict."""
    try:
        descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        raise Conflict("The bundle's folder cannot be written here.") from None
    try:
        _acquire(descriptor, clock)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, clock: Clock) -> None:
    deadline = clock.monotonic() + PATIENCE
    while not _taken(descriptor):
        if clock.monotonic() >= deadline:
            raise Conflict("Another change of the bundle is under way; try again.")
        clock.sleep(_PAUSE)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def writable(folder: Path) -> bool:
    """Whether this process may change the bundle in ``folder``."""
    places = [folder, folder / MANIFEST]
    return all(os.access(place, os.W_OK) for place in places)
