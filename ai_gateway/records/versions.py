"""Numbered objects of which each is written once: the versions of what processes share.

A number is taken by whoever writes it first: in a folder by a hard link, which fails where one is
already, in a bucket by a put under the condition that there is nothing (If-None-Match: *).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from ai_gateway.records.keyring import Keyring, encrypted, read
from ai_gateway.records.objects import (
    Bucket,
    Entry,
    Folder,
    Objects,
    StoreUnavailable,
    open_objects,
)

_DIGITS = 12
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions below one prefix of a store."""

    objects: Objects
    prefix: str

    @classmethod
    def open(cls, data: str, prefix: str, keyring: Keyring | None = None) -> Versions:
        """At ``data``, as Records.open has it; nothing is contacted yet."""
        return cls(open_objects(data, keyring), prefix)

    def newest(self, after: int = 0) -> tuple[int, bytes] | None:
        """The newest version and its number, if that is beyond ``after``; one LIST, one GET.

        Raises StoreUnavailable.
        """
        found = self._entries(after)
        if not found:
            return None
        return _number(found[-1]), read(self.objects, found[-1])

    def get(self, number: int) -> bytes | None:
        """One version; None where there is none of that number."""
        found = [each for each in self._entries(number - 1) if _number(each) == number]
        return read(self.objects, found[0]) if found else None

    def numbers(self) -> list[int]:
        """Every version's number, oldest first."""
        return [_number(entry) for entry in self._entries(0)]

    def create(self, number: int, data: bytes) -> bool:
        """Write that version; False where another was faster. Raises StoreUnavailable."""
        path = self._path(number)
        data = encrypted(self.objects.keyring, path, data)
        if isinstance(self.objects, Bucket):
            return self.objects.put_if(path, data, None) is not None
        if isinstance(self.objects, Folder):
            return _link(self.objects, path, data)
        raise TypeError(f"{type(self.objects).__name__} has no versions")

    def _path(self, number: int) -> str:
        return f"{self.prefix}/{number:0{_DIGITS}d}{_SUFFIX}"

    def _entries(self, after: int) -> list[Entry]:
        found = self.objects.entries(self.prefix, self._path(after))
        return [entry for entry in found if entry.path.endswith(_SUFFIX)]


def _number(entry: Entry) -> int:
    return int(entry.path.rpartition("/")[2].removesuffix(_SUFFIX))


def _link(folder: Folder, path: str, data: bytes) -> bool:
    temporary = f"tmp/version.{secrets.token_hex(8)}"
    folder.put(temporary, data)
    target = folder.root / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(folder.root / temporary, target)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreUnavailable(error.strerror or type(error).__name__) from error
    finally:
        folder.delete(temporary)
    return True
