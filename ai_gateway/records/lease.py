"""A lease: one holder at a time, whatever machines they are on.

In a folder it is a lock file that dies with its process. In a bucket it is an object with an
expiry, written under a condition (If-None-Match, If-Match), so that of two takers one wins; there
a holder must renew before the time it asked for is over, and clocks must agree to within it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ai_gateway.records.objects import Bucket, Folder, Objects, StoreUnavailable

if TYPE_CHECKING:
    from typing_extensions import Self

    from ai_gateway.clock import Clock


class Lease(ABC):
    """Held until it is released, its process ends or, in a bucket, it is not renewed in time."""

    @abstractmethod
    def renew(self) -> bool:
        """Hold it for its time again; False when another has taken it over."""

    @abstractmethod
    def release(self) -> None:
        """Let go of it; twice is fine. A bucket that is out of reach lets it expire instead."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class FileLease(Lease):
    """A locked file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def renew(self) -> bool:
        """See Lease: a lock does not expire."""
        return self._descriptor is not None

    def release(self) -> None:
        """See Lease."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ObjectLease(Lease):
    """An object that says until when it is held."""

    def __init__(
        self, bucket: Bucket, path: str, e_tag: str, *, holder: str, ttl: float, clock: Clock
    ) -> None:
        self._bucket = bucket
        self._path = path
        self._holder = holder
        self._ttl = ttl
        self._clock = clock
        self._e_tag: str | None = e_tag

    def renew(self) -> bool:
        """See Lease."""
        return self._write(self._clock.now() + self._ttl)

    def release(self) -> None:
        """See Lease. The object stays, expired: a delete could hit the next holder's."""
        with contextlib.suppress(StoreUnavailable):
            self._write(0.0)
        self._e_tag = None

    def _write(self, expires: float) -> bool:
        if self._e_tag is not None:
            body = _body(self._holder, expires)
            self._e_tag = self._bucket.put_if(self._path, body, self._e_tag)
        return self._e_tag is not None


def acquire(objects: Objects, name: str, holder: str, ttl: float, clock: Clock) -> Lease | None:
    """The lease ``name`` for ``ttl`` seconds; None while another holds it.

    ``holder`` is for people who look. Raises StoreUnavailable, or OSError for a folder.
    """
    if isinstance(objects, Folder):
        return _acquire_file(objects.root / "leases" / f"{name}.lock", holder)
    if isinstance(objects, Bucket):
        return _acquire_object(objects, f"leases/{name}.json", holder, ttl, clock)
    raise TypeError(f"{type(objects).__name__} has no leases")


def _acquire_file(path: Path, holder: str) -> FileLease | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, orjson.dumps({"holder": holder}), 0)
    return FileLease(descriptor)


def _acquire_object(
    bucket: Bucket, path: str, holder: str, ttl: float, clock: Clock
) -> ObjectLease | None:
    body = _body(holder, clock.now() + ttl)
    e_tag = bucket.put_if(path, body, None)
    if e_tag is None:
        found, known = bucket.get(path)
        if _expiry(found) > clock.now():
            return None
        e_tag = bucket.put_if(path, body, known)
    if e_tag is None:
        return None
    return ObjectLease(bucket, path, e_tag, holder=holder, ttl=ttl, clock=clock)


def _body(holder: str, expires: float) -> bytes:
    return orjson.dumps({"holder": holder, "expires_at": expires})


def _expiry(body: bytes) -> float:
    """When a lease ends; one that cannot be read has ended."""
    try:
        return float(orjson.loads(body)["expires_at"])
    except (ValueError, KeyError, TypeError):
        return 0.0
