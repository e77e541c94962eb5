"""Where record files lie: whole objects under a folder or an S3 prefix.

The same few operations for both, and no more than an S3-compatible store has: there is no append
and no rename. A path is relative to the root, with ``/`` between its parts. What is not there is a
FileNotFoundError; what cannot be reached is a StoreUnavailable, without the store's own words,
which may hold addresses and signatures.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from obstore.store import S3Store

    from ai_gateway.records.keyring import Keyring

#: Parallel reads that pay: a disk's files come from the page cache, a bucket's from afar.
_FOLDER_READERS, _BUCKET_READERS = 2, 16
#: An S3 request that takes longer is given up; the mover tries again.
_TIMEOUT = timedelta(seconds=10)
#: Up to this size an object is fetched in one request, whatever is wanted of it.
_WHOLE = 1 << 20


class StoreUnavailable(OSError):
    """The record store cannot be read or written now."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EIO, reason)


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One object: its path, its size in bytes, and when it was written, by the store's clock."""

    path: str
    size: int
    #: Microseconds since the epoch.
    modified: int = field(default=0, compare=False)


class Objects(Protocol):
    """A place for whole objects."""

    readers: int
    #: What is written is encrypted with its first key; None where nothing is.
    keyring: Keyring | None

    def folders(self, prefix: str) -> list[str]:
        """The names directly below ``prefix`` that hold something, sorted."""

    def entries(self, prefix: str, after: str = "") -> list[Entry]:
        """The objects directly in ``prefix`` whose path is beyond ``after``, sorted by path."""

    def below(self, prefix: str) -> list[Entry]:
        """The objects in the folders of ``prefix``, sorted by path."""

    def open(self, entry: Entry) -> str | IO[bytes]:
        """What pyarrow reads an object from: a file's path, or a file-like object."""

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write an object whole: a reader sees all of it, or what was there before."""

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is fine."""

    def sweep(self, before: float) -> None:
        """Remove what interrupted writes left before that time (seconds since the epoch)."""

    def tidy(self, prefix: str) -> None:
        """Remove a folder that holds nothing."""


class Folder:
    """A local or network folder. An object is written beside the tables, then moved into place."""

    readers = _FOLDER_READERS
    keyring: Keyring | None = None

    def __init__(self, root: Path) -> None:
        self.root = root

    def folders(self, prefix: str) -> list[str]:
        """See Objects."""
        with _reaching():
            return sorted(entry.name for entry in self._scan(prefix) if entry.is_dir())

    def entries(self, prefix: str, after: str = "") -> list[Entry]:
        """See Objects."""
        with _reaching():
            found = [
                Entry(path, *_size_and_time(entry))
                for entry in self._scan(prefix)
                if (path := f"{prefix}/{entry.name}") > after and entry.is_file()
            ]
        return sorted(found)

    def below(self, prefix: str) -> list[Entry]:
        """See Objects."""
        folders = self.folders(prefix)
        return [entry for folder in folders for entry in self.entries(f"{prefix}/{folder}")]

    def _scan(self, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / prefix) as found:
                return list(found)
        except FileNotFoundError:
            return []

    def open(self, entry: Entry) -> str:
        """See Objects."""
        return str(self.root / entry.path)

    def put(self, path: str, data: bytes | memoryview) -> None:
        """See Objects. On the disk before it returns."""
        target = self.root / path
        temporary = self.root / "tmp" / f"{target.name}.{secrets.token_hex(4)}"
        with _reaching():
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.parent.mkdir(exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.utime(temporary)  # who follows goes by when it could be seen
                temporary.replace(target)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise

    def delete(self, path: str) -> None:
        """See Objects."""
        with _reaching():
            (self.root / path).unlink(missing_ok=True)

    def sweep(self, before: float) -> None:
        """See Objects."""
        with _reaching():
            for entry in self._scan("tmp"):
                with contextlib.suppress(FileNotFoundError):  # its writer has moved it into place
                    if entry.stat().st_mtime < before:
                        Path(entry).unlink(missing_ok=True)

    def tidy(self, prefix: str) -> None:
        """See Objects. Who was about to write there makes it again."""
        with contextlib.suppress(OSError):
            (self.root / prefix).rmdir()


def _size_and_time(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        found = entry.stat()
    except FileNotFoundError:  # compacted away since the listing
        return 0, 0
    return found.st_size, found.st_mtime_ns // 1000


@contextmanager
def _reaching(*failures: type[Exception]) -> Iterator[None]:
    """Failures of a store as StoreUnavailable; FileNotFoundError stays what it is."""
    caught: tuple[type[Exception], ...] = (OSError, *failures)
    try:
        yield
    except FileNotFoundError:
        raise
    except caught as error:
        raise StoreUnavailable(getattr(error, "strerror", None) or type(error).__name__) from error


class Bucket:
    """A prefix of an S3-compatible bucket.

    Credentials and region come from the standard AWS variables, the container's or the machine's
    role; obstore reads them itself.
    """

    readers = _BUCKET_READERS
    keyring: Keyring | None = None

    def __init__(self, bucket: str, prefix: str, options: dict[str, str]) -> None:
        try:
            import obstore
        except ImportError:
            raise ValueError("records at s3:// need the extra ai-gateway[s3]") from None
        self._obstore: Any = obstore
        self._store = _s3(bucket, prefix, options)
        self._failures: tuple[type[Exception], ...] = (obstore.exceptions.BaseError,)

    def folders(self, prefix: str) -> list[str]:
        """See Objects. One LIST request a thousand names."""
        with _reaching(*self._failures):
            found = self._obstore.list_with_delimiter(self._store, prefix)
        return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    def entries(self, prefix: str, after: str = "") -> list[Entry]:
        """See Objects. One LIST request a thousand objects beyond ``after``."""
        with _reaching(*self._failures):
            pages = self._obstore.list(self._store, prefix, offset=after or None)
            return sorted(_entry(found) for page in pages for found in page)

    def below(self, prefix: str) -> list[Entry]:
        """See Objects. A LIST request goes through folders by itself."""
        return self.entries(prefix)

    def open(self, entry: Entry) -> IO[bytes]:
        """See Objects. A small object is fetched whole, of a large one what is read."""
        if entry.size <= _WHOLE:
            return io.BytesIO(self.get(entry.path)[0])
        return io.BufferedReader(_Remote(self, entry), 1)

    def get_range(self, path: str, start: int, length: int) -> bytes:
        """Some of an object's bytes."""
        with _reaching(*self._failures):
            return bytes(self._obstore.get_range(self._store, path, start=start, length=length))

    def put(self, path: str, data: bytes | memoryview) -> None:
        """See Objects."""
        with _reaching(*self._failures):
            self._obstore.put(self._store, path, bytes(data))

    def put_if(self, path: str, data: bytes, e_tag: str | None) -> str | None:
        """Write if the object still is the one with ``e_tag``, or is not there if that is None.

        Returns the new e_tag, or None where another was faster.
        """
        mode = "create" if e_tag is None else {"e_tag": e_tag}
        lost = (
            self._obstore.exceptions.AlreadyExistsError,
            self._obstore.exceptions.PreconditionError,
            FileNotFoundError,
        )
        with _reaching(*self._failures):
            try:
                tag: str = self._obstore.put(self._store, path, data, mode=mode)["e_tag"]
            except lost:
                return None
            return tag

    def get(self, path: str) -> tuple[bytes, str]:
        """An object's bytes and its e_tag."""
        with _reaching(*self._failures):
            found = self._obstore.get(self._store, path)
            return bytes(found.bytes()), found.meta["e_tag"]

    def delete(self, path: str) -> None:
        """See Objects."""
        with _reaching(*self._failures):
            self._obstore.delete(self._store, path)

    def sweep(self, before: float) -> None:
        """Nothing to do: an object that was not written whole is not there."""

    def tidy(self, prefix: str) -> None:
        """Nothing to do: a prefix is there while an object has it."""


def _entry(found: dict[str, Any]) -> Entry:
    modified = round(found["last_modified"].timestamp() * 1e6)
    return Entry(found["path"], found["size"], modified)


class _Remote(io.RawIOBase):
    """An object that is read in ranges, one request a read."""

    def __init__(self, bucket: Bucket, entry: Entry) -> None:
        super().__init__()
        self._bucket = bucket
        self._entry = entry
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._entry.size}
        self._position = bases[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._entry.size - self._position)
        if length <= 0:
            return 0
        buffer[:length] = self._bucket.get_range(self._entry.path, self._position, length)
        self._position += length
        return length


def _s3(bucket: str, prefix: str, options: dict[str, str]) -> S3Store:
    """``options``: endpoint_override, scheme and region, as in pyarrow's addresses of S3."""
    from obstore.store import S3Store

    config: dict[str, Any] = {}
    if endpoint := options.pop("endpoint_override", None):
        scheme = options.pop("scheme", "https")
        config["endpoint"] = endpoint if "://" in endpoint else f"{scheme}://{endpoint}"
        config["virtual_hosted_style_request"] = False
    if region := options.pop("region", None):
        config["region"] = region
    if options:
        raise ValueError(f"an S3 address does not take {', '.join(sorted(options))}")
    plain = config.get("endpoint", "").startswith("http://")
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={"allow_http": plain, "timeout": _TIMEOUT},
        retry_config={"max_retries": 2, "retry_timeout": _TIMEOUT},
        **config,
    )


def _bucket(address: str) -> Bucket:
    parts = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not parts.netloc or "@" in parts.netloc:
        raise ValueError("an S3 address is s3://BUCKET/PREFIX, without credentials in it")
    return Bucket(parts.netloc, parts.path.strip("/"), options)


_SCHEMES: dict[str, Callable[[str], Objects]] = {
    "": lambda address: Folder(Path(address)),
    "file": lambda address: Folder(Path(urlsplit(address).path)),
    "s3": _bucket,
}


def content(objects: Objects, entry: Entry) -> bytes:
    """A whole object; FileNotFoundError where it is gone."""
    source = objects.open(entry)
    if isinstance(source, str):
        with _reaching():
            return Path(source).read_bytes()
    with source:
        return source.read(entry.size)


def open_objects(address: str, keyring: Keyring | None = None) -> Objects:
    """The store at a path, ``file:///...`` or ``s3://bucket/prefix?endpoint_override=...``.

    Raises ValueError for any other address; nothing is contacted yet.
    """
    scheme = address.partition("://")[0] if "://" in address else ""
    if scheme not in _SCHEMES:
        raise ValueError(f"records live in a folder or at s3://..., not at {scheme}://")
    objects = _SCHEMES[scheme](address)
    objects.keyring = keyring
    return objects
