"""What of a manifest is right, so that one wrong key does not hide the problems of the others.

Wrong values are taken out of a copy, entries that do not stand without them too, until the rest
validates. What is left is never served: it is only looked through for further problems.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from ai_gateway.manifest.located import Location
from ai_gateway.manifest.model import Manifest

_ENTRIES = ("routes", "security", "jwt", "jobs", "limits", "budgets")
_ENTRY = 2  # parts of the key path of one of them


@dataclass(frozen=True, slots=True)
class Partial:
    """A manifest without what was wrong, and where its entries stand in the file."""

    manifest: Manifest
    positions: dict[str, list[int]]

    def original(self, at: Location) -> Location:
        """``at``, a place in ``manifest``, as a place in the file."""
        if len(at) > 1 and isinstance(at[1], int) and at[0] in self.positions:
            return (at[0], self.positions[str(at[0])][at[1]], *at[2:])
        return at


def salvage(value: Any) -> Partial:
    """The part of ``value`` that is right."""
    value = copy.deepcopy(value) if isinstance(value, dict) else {}
    positions = {
        name: list(range(len(value[name])))
        for name in _ENTRIES
        if isinstance(value.get(name), list)
    }
    for depth in (None, 3, 2, 1):  # the wrong value, then its list, its entry, its section
        wrong = {_reached(value, error["loc"][:depth]) for error in _errors(value)}
        for location in sorted(wrong - {()}, reverse=True):  # from the end: positions stay true
            del _at(value, location[:-1])[location[-1]]
            if len(location) == _ENTRY and location[0] in positions:
                del positions[str(location[0])][int(location[1])]
    return Partial(Manifest.model_validate(value), positions)


def _errors(value: dict[str, Any]) -> Sequence[ErrorDetails]:
    try:
        Manifest.model_validate(value)
    except pydantic.ValidationError as error:
        return error.errors(include_url=False, include_input=False)
    return ()


def _at(value: Any, location: Location) -> Any:
    return reduce(operator.getitem, location, value)


def _reached(value: Any, location: Sequence[str | int]) -> Location:
    """The part of ``location`` that is there: what is missing makes its parent wrong."""
    reached: Location = ()
    for part in location:
        here = _at(value, reached)
        if not isinstance(here, (dict, list)) or (isinstance(here, dict) and part not in here):
            break
        reached = (*reached, part)
    return reached
