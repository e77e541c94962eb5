"""Where a bundle is read and written: its own folder, or versions in the store.

A folder that several replicas have each for themselves, or that cannot be written, is only what
was shipped. What is changed then is written as a whole new version under ``bundles/`` of the
store, below the digest of what was shipped; every replica follows the newest.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

import orjson

from ai_gateway.clock import Clock
from ai_gateway.control import files
from ai_gateway.control.files import Files
from ai_gateway.errors import Conflict, NotFound, StoreAway
from ai_gateway.manifest.load import fingerprint
from ai_gateway.records import StoreUnavailable
from ai_gateway.records.keyring import Keyring
from ai_gateway.records.versions import Versions

log = logging.getLogger(__name__)

#: Seconds between two looks for a newer version.
_EVERY: Final = 5.0


class Place(Protocol):
    """Where the bundle of a process is. Any thread may call it."""

    def read(self) -> Files:
        """The bundle as it is now; raises StoreAway."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep others from changing it meanwhile, or raise Conflict."""

    def write(self, before: Files, after: Files, name: str) -> None:
        """Make it ``after``, which differs from ``before`` in the file ``name``."""

    def start(self) -> None:
        """Be ready to be followed; raises StoreUnavailable where it must not be missed."""

    def seen(self) -> str:
        """Changes when the bundle does; cheap enough to be asked every second, and never fails."""

    def unpacked(self) -> AbstractContextManager[Path]:
        """A folder with the bundle as it is now."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The bundle's own folder."""

    folder: Path
    clock: Clock

    def read(self) -> Files:
        """See Place."""
        return files.read(self.folder)

    def locked(self) -> AbstractContextManager[None]:
        """See Place."""
        return files.locked(self.folder, self.clock)

    def write(self, before: Files, after: Files, name: str) -> None:  # noqa: ARG002 - see Place
        """See Place."""
        files.write(self.folder, name, after.contents.get(name))

    def start(self) -> None:
        """See Place."""

    def seen(self) -> str:
        """See Place."""
        return fingerprint(self.folder)

    def unpacked(self) -> AbstractContextManager[Path]:
        """See Place."""
        return nullcontext(self.folder)


@dataclass(frozen=True, slots=True)
class _Version:
    number: int
    files: Files


@dataclass(slots=True)
class Shared:
    """Versions in the store, of what was shipped in a folder.

    With ``strict`` nothing is served before the store was read: what was shipped may be what
    somebody has changed since for a reason.
    """

    folder: Path
    data: str
    clock: Clock
    strict: bool = True
    keyring: Keyring | None = None
    _lock: Lock = field(default_factory=Lock)
    _base: str = ""
    _known: _Version | None = None
    _looked: float = -math.inf

    def read(self) -> Files:
        """See Place."""
        return self._now()[1]

    def numbers(self) -> tuple[list[int], int]:
        """Every version of what was shipped, which is 0, and the one that is followed."""
        number, _, base = self._now()
        with _reaching():
            return [0, *self._versions(base).numbers()], number

    def version(self, number: int) -> Files:
        """One of them; raises NotFound."""
        shipped = files.read(self.folder)
        if number == 0:
            return shipped
        with _reaching():
            data = self._versions(shipped.digest).get(number)
            if data is None:
                raise NotFound(f"There is no version {number} of the bundle.")
            return _unpacked(number, data, shipped.digest).files

    def locked(self) -> AbstractContextManager[None]:
        """Nothing: of two who write the same number one wins."""
        return nullcontext()

    def write(self, before: Files, after: Files, name: str) -> None:  # noqa: ARG002 - see Place
        """See Place."""
        number, now, base = self._now()
        if now.digest != before.digest:
            raise Conflict("The bundle was changed meanwhile; read it again.")
        data = _packed(number + 1, base, after, self.clock.now())
        with _reaching():
            written = self._versions(base).create(number + 1, data)
        if not written:
            raise Conflict("Another change of the bundle was faster; read it again.")
        self._looked = -math.inf

    def _now(self) -> tuple[int, Files, str]:
        """The newest version's number, 0 for what was shipped; its files; the base's digest."""
        shipped = files.read(self.folder)
        with _reaching():
            known = self._newest(shipped.digest)
        return (
            (known.number, known.files, shipped.digest) if known else (0, shipped, shipped.digest)
        )

    def start(self) -> None:
        """See Place."""
        try:
            self._newest(files.read(self.folder).digest)
        except StoreUnavailable:
            if self.strict:
                raise
            log.warning("the versions of the bundle cannot be read: it is served as shipped")

    def seen(self) -> str:
        """See Place."""
        if self.clock.monotonic() - self._looked >= _EVERY:
            try:
                self._newest(files.read(self.folder).digest)
            except StoreUnavailable as error:
                log.warning("the versions of the bundle cannot be read: %s", error.strerror)
        shipped = fingerprint(self.folder)
        return f"{shipped} {self._known.number}" if self._known else shipped

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """See Place."""
        with tempfile.TemporaryDirectory(prefix="ai-gateway-") as name:
            shipped, known = files.read(self.folder), self._known
            files.copy(known.files if known else shipped, self.folder, Path(name))
            yield Path(name)

    def _newest(self, base: str) -> _Version | None:
        """Look now."""
        with self._lock:
            self._looked = self.clock.monotonic()
            if base != self._base:
                self._base, self._known = base, None
            after = self._known.number if self._known else 0
            found = self._versions(base).newest(after)
            if found is not None:
                self._known = _unpacked(*found, base)
            return self._known

    def _versions(self, base: str) -> Versions:
        return Versions.open(self.data, f"bundles/base={base[:32]}", self.keyring)


@contextmanager
def _reaching() -> Iterator[None]:
    """A store that is away, or a version in it that is damaged, as a caller is told of it."""
    try:
        yield
    except StoreUnavailable as error:
        log.warning("versions of the bundle: %s", error.strerror)
        raise StoreAway("The bundle's versions cannot be reached; nothing was changed.") from None


def _packed(number: int, base: str, after: Files, now: float) -> bytes:
    try:
        contents = {name: data.decode() for name, data in after.contents.items()}
    except UnicodeDecodeError:
        raise Conflict("A file of the bundle is not UTF-8, so it cannot be shared.") from None
    version: dict[str, Any] = {
        "version": 1,
        "number": number,
        "base": base,
        "digest": after.digest,
        "created_at": now,
        "files": contents,
    }
    return orjson.dumps(version, option=orjson.OPT_INDENT_2)


def _unpacked(number: int, data: bytes, base: str) -> _Version:
    try:
        found = orjson.loads(data)
        held = Files({name: text.encode() for name, text in found["files"].items()})
        told = (found["version"], found["number"], found["base"], found["digest"])
    except (ValueError, KeyError, TypeError, AttributeError):
        told, held = None, Files({})
    if told != (1, number, base, held.digest):
        raise StoreUnavailable(f"version {number} of the bundle is not what it says")
    return _Version(number, held)
