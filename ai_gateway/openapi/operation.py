"""What a function takes and gives, as its own module declares it under the name ``API``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: A type that ``pydantic.TypeAdapter`` takes: the model that a function parses, a TypedDict.
Shape = Any

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
FORM: Final = "multipart/form-data"
#: What a change through the admin API may be refused for, beside what any request may be.
CHANGE: Final = (404, 409, 412, 415, 428)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of a function. What every route may answer (401, 413, 429, ...) goes without."""

    body: Shape = None
    #: The media type of the body.
    takes: str = JSON
    #: Whether the body may be left out.
    optional: bool = False
    #: A body that is answered, for who tries it.
    example: Any = None
    #: A model of the query's fields.
    query: Shape = None
    #: What is answered; with None any object.
    reply: Shape = None
    #: The media types that it comes as; only what is JSON has the shape of ``reply``.
    gives: tuple[str, ...] = (JSON,)
    statuses: tuple[int, ...] = (200,)
    #: What it is refused with, beside what any request may be.
    errors: tuple[int, ...] = ()
    #: Whether a model is asked, whose own refusals and failures are passed on.
    asks_model: bool = False
    #: Whether If-Match is heeded (RFC 9110, 13.1.1).
    versioned: bool = False
    #: What a caller must have been given who is no administrator.
    scope: str = ""


#: A function's ``API``: of all methods alike, or by method.
Declared = Operation | Mapping[str, Operation]


def operation(module: object, method: str) -> Operation | None:
    """What ``module`` declares of ``method``; None where it does not say."""
    declared: Declared | None = getattr(module, "API", None)
    return declared.get(method) if isinstance(declared, Mapping) else declared
