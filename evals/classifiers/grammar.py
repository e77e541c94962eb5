"""Texts made from templates: ``{slot}`` takes one of the slot's fillings, which may have slots."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence

Slots = Mapping[str, Sequence[str]]

_SLOT = re.compile(r"\{(\w+)\}")
#: Tries for a text that was not made before, until a template counts as used up.
_TRIES = 20


def filled(template: str, slots: Slots, rng: random.Random) -> str:
    """``template`` with every slot filled by chance."""
    while found := _SLOT.search(template):
        filling = rng.choice(slots[found[1]])
        template = template[: found.start()] + filling + template[found.end() :]
    return template


def texts(templates: Sequence[str], slots: Slots, each: int, rng: random.Random) -> Iterator[str]:
    """Up to ``each`` different texts of every template."""
    for template in templates:
        made: dict[str, None] = {}
        for _ in range(each * _TRIES):
            if len(made) == each:
                break
            made[filled(template, slots, rng)] = None
        yield from made
