"""Where the gateway of a named cluster is: a small file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Where a gateway listens on one's own machine.
DEFAULT: Final = "http://127.0.0.1:8080"
_LARGEST: Final = 1_000_000  # bytes


def folder() -> Path:
    """Where the user's own files are."""
    return Path.home() / ".config" / "ai-gateway"


def url_of(cluster: str, file: Path | None = None) -> str:
    """The URL of ``cluster``; DEFAULT where there is no file at all.

    Raises ValueError for a cluster that the file does not have, and for a file that is none.
    """
    known = read(file or folder() / "clusters.yaml")
    if known is None:
        return DEFAULT
    if cluster not in known:
        names = ", ".join(sorted(known)) or "none"
        raise ValueError(f"There is no cluster {cluster!r}; there is {names}.")
    return known[cluster]


def read(file: Path) -> dict[str, str] | None:
    """The URL of each cluster; None where there is no file. Raises ValueError."""
    import yaml  # noqa: PLC0415 - only who names a cluster waits for it

    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        raise ValueError(f"{file} is no YAML.") from None
    entries = found.items() if isinstance(found, dict) else [(None, found)]
    known = {name: entry.get("url") for name, entry in entries if isinstance(entry, dict)}
    if len(known) != len(entries) or not all(isinstance(url, str) for url in known.values()):
        raise ValueError(f"{file} has a name and below it a `url` for each cluster, nothing else.")
    return {str(name): str(url) for name, url in known.items()}
