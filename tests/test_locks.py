"""The lock files say enough for an installation that checks every hash."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
_PINNED = re.compile(r"^([\w.-]+)(?:\[([\w,-]+)\])?==", re.MULTILINE)


def pinned(lock: str) -> dict[str, set[str]]:
    """The extras with which each distribution of a lock is pinned."""
    found: dict[str, set[str]] = {}
    for name, extras in _PINNED.findall((ROOT / lock).read_text(encoding="utf-8")):
        found.setdefault(name, set()).update(filter(None, extras.split(",")))
    return found


def wanted(pins: dict[str, set[str]]) -> Iterator[tuple[str, Requirement]]:
    """What the pinned distributions that are installed here ask for with an extra."""
    for name, extras in pins.items():
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            due = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            )
            if due and requirement.extras:
                yield name, requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_asked_for_with_an_extra_is_pinned_with_it(lock) -> None:
    """Else pip takes the newest release there is, whose hash no lock can know."""
    pins = pinned(lock)
    lacking = [
        f"{name} wants {requirement}"
        for name, requirement in wanted(pins)
        if not requirement.extras <= pins[canonicalize_name(requirement.name)]
    ]
    assert lacking == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock) -> None:
    """Names, versions and hashes only: where they come from is the installer's business."""
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")
