"""What every part of the manifest's model is made of."""

from __future__ import annotations

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Closed(BaseModel):
    """A frozen model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, (str, int)) else value


OneOrMore = BeforeValidator(_as_list)
