"""The lines that no table took: ``.bad`` files beside the segments, which hold texts as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ai_gateway.records.keyring import Keyring, decrypted, encrypted
from ai_gateway.records.segments import BAD_SUFFIX, SUFFIX


class SetAside:
    """Those of one write-ahead folder. A file whose segment is still there is being written."""

    def __init__(self, folder: Path, keyring: Keyring | None = None) -> None:
        self._folder = folder
        self._keyring = keyring

    def drop(self, takes: Callable[[bytes], bool]) -> int:
        """Remove the lines that ``takes`` takes; how many those were.

        Raises OSError; Encrypted, which is one, for a file that is encrypted with a key not held.
        """
        dropped = 0
        for path in self._files():
            lines = decrypted(self._keyring, path.name, path.read_bytes()).splitlines()
            kept = [line for line in lines if not takes(line)]
            if len(kept) < len(lines):
                dropped += len(lines) - len(kept)
                self._write(path, kept)
        return dropped

    def prune(self, before: float) -> int:
        """Delete the files of segments that were begun before that time (seconds since the epoch).

        Returns how many; what is not named by a time is left alone.
        """
        old = [path for path in self._files() if _begun(path) < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _files(self) -> Iterator[Path]:
        found = sorted(self._folder.glob(f"*{BAD_SUFFIX}"))
        return (path for path in found if not path.with_suffix(SUFFIX).exists())

    def _write(self, path: Path, lines: list[bytes]) -> None:
        if not lines:
            path.unlink()
            return
        temporary = path.with_suffix(".part")
        data = b"\n".join([*lines, b""])
        temporary.write_bytes(encrypted(self._keyring, path.name, data))
        temporary.replace(path)


def _begun(path: Path) -> float:
    """Seconds since the epoch, from the name; infinite where it tells none."""
    micros = path.stem.partition("-")[0]
    return int(micros) / 1e6 if micros.isdecimal() else float("inf")
