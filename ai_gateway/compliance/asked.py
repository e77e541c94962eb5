"""Whose rows a request means, by its query."""

from __future__ import annotations

from collections import defaultdict
from typing import Final
from urllib.parse import parse_qsl

import pydantic

from ai_gateway.compliance.erasure import Wanted
from ai_gateway.contract import Event, bad_request
from ai_gateway.errors import BadRequest

#: Fields of a query, most of which can only be requests.
_MOST: Final = 100


def query(event: Event) -> Wanted:
    """``tenant``, ``key``, ``rater``, and ``request`` as often as wanted; raises BadRequest."""
    try:
        pairs = parse_qsl(event.query, keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:
        raise BadRequest(f"The query has more than {_MOST} fields, or is none.") from None
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        found[name].append(value)
    single = {
        name: values if name == "request" or len(values) > 1 else values[0]
        for name, values in found.items()
    }
    try:
        return Wanted.model_validate(single)
    except pydantic.ValidationError as error:
        raise bad_request(error) from None
