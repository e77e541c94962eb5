"""What ``init`` keeps for later commands, in the user's own folder."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ai_gateway.client import clusters

#: The name of a gateway that was given none.
UNNAMED = "default"


@dataclass(frozen=True, slots=True)
class Home:
    """Which gateway is meant, its keys by cluster, and the file that ``apply`` reads."""

    cluster: str | None = None
    config: Path | None = None
    keys: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls) -> Home:
        """What was kept; raises ValueError for a file that ``init`` did not write."""
        file = _file()
        try:
            found = yaml.safe_load(file.read_text("utf-8"))
            config = found.get("config")
            return cls(found.get("cluster"), config and Path(config), dict(found.get("keys") or {}))
        except FileNotFoundError:
            return cls()
        except (yaml.YAMLError, AttributeError, TypeError, ValueError):
            raise ValueError(f"{file} cannot be understood; remove it, and init again.") from None

    def write(self) -> None:
        """Keep it, for nobody else to read."""
        kept = {
            "cluster": self.cluster,
            "config": self.config and str(self.config),
            "keys": self.keys,
        }
        _write(_file(), {name: value for name, value in kept.items() if value})


def add_cluster(name: str, url: str | None) -> str:
    """The URL of a cluster, kept from now on: the given one, else what is known, else DEFAULT."""
    file = clusters.folder() / "clusters.yaml"
    known = clusters.read(file) or {}
    chosen = url or known.get(name) or clusters.DEFAULT
    if known.get(name) != chosen:
        urls = {**known, name: chosen}
        _write(file, {each: {"url": urls[each]} for each in urls})
    return chosen


def _file() -> Path:
    return clusters.folder() / "config.yaml"


def _write(file: Path, value: dict[str, Any]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        yaml.safe_dump(value, opened, sort_keys=False)
    fresh.replace(file)
