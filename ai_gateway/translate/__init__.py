"""From one format to another: requests there, answers and streams back.

A Translation is pure: JSON values in, JSON values out. What has no counterpart in the other format
is a BadRequest that names it (``param``), never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Translation:
    """How a caller of one format is served by a model of another."""

    #: The caller's request in the model's format.
    request: Callable[[Body], dict[str, Any]]
    #: The model's whole answer in the caller's format. The second argument is the caller's request,
    #: the third when it came, in seconds since 1970, for models that do not say.
    answer: Callable[[Body, Body, int], dict[str, Any]]
    #: The model's stream of event data in the caller's format, chunk by chunk as they come.
    stream: Callable[[Iterable[Body], Body, int], Iterator[dict[str, Any]]]
