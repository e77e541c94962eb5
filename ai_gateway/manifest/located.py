"""A document: plain values that know where in their file they stand, and from which variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_gateway.manifest.problem import Problem

Location = tuple[str | int, ...]

MAX_FOUND = 60
#: A shorter value is no secret, and its letters stand in ordinary words.
MIN_HIDDEN = 4


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: str, int, float, bool, None, list and dict (keys are always text)."""

    file: str
    value: Any = field(repr=False)
    problems: tuple[Problem, ...]
    #: False when there is no value at all, so that nothing more can be said about it.
    readable: bool
    _lines: Mapping[Location, int] = field(repr=False)
    _variables: Mapping[Location, tuple[str, ...]] = field(repr=False)
    _environment: Mapping[str, str] = field(repr=False)
    #: Of the text that was read, whatever is in the file by now.
    digest: str = ""

    def known(self, location: Location) -> Location:
        """The parts of ``location`` that stand in the file, without a union's tags or defaults."""
        path: Location = ()
        for part in location:
            if (*path, part) in self._lines:
                path = (*path, part)
        return path

    def line(self, location: Location) -> int:
        """The line, from 1, of the nearest part of ``location`` that stands in the file."""
        return self._lines.get(self.known(location), 1)

    def variables(self, location: Location) -> tuple[str, ...]:
        """The names of the variables whose values are in the value at ``location`` or below it."""
        depth = len(location)
        names = (
            name
            for place, found in self._variables.items()
            if place[:depth] == location
            for name in found
        )
        return tuple(dict.fromkeys(names))

    def hide(self, text: str) -> str:
        """``text`` with the values of variables in it replaced by the variables' names."""
        for name in self.variables(()):
            value = self._environment.get(name, "")
            if len(value) >= MIN_HIDDEN:
                text = text.replace(value, f"${{{name}}}")
        return text

    def problem(self, location: Location, found: str, wanted: str) -> Problem:
        """A Problem at ``location``, in which no variable's value is shown."""
        key = ".".join(map(str, location))
        return Problem(self.file, self.line(location), key, self.hide(found), self.hide(wanted))

    def found(self, location: Location) -> str:
        """What stands at ``location``, as a Problem shows it."""
        value = self.value
        for part in self.known(location):
            value = value[part]
        names = self.variables(location)
        if names and not isinstance(value, (dict, list)):
            return "the value of " + " and ".join(f"${{{name}}}" for name in names)
        if "credentials" in location and isinstance(value, str):
            return "a text"  # a token that was written where it does not belong, as like as not
        return glimpse(value)


def glimpse(value: object) -> str:
    """``value`` in at most 60 characters; a collection only by its kind, as it may hold secrets."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= MAX_FOUND else f"{text[: MAX_FOUND - 3]}..."
