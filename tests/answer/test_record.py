"""One decision is one row, whatever an upstream says of itself."""

import pytest

from ai_gateway.answer.masks import Masks
from ai_gateway.answer.record import Decision, row
from ai_gateway.contract import Event
from ai_gateway.cost.charge import charge
from ai_gateway.cost.declared import Price
from ai_gateway.formats.chat import usage as counted
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.manifest.model import Route

EVENT = Event("0" * 32, Route(path="/inference"), "POST", "/inference", 0.0)


def written(**known) -> dict:
    """The row of a decision of which so much is known."""
    hashes = {"manifest_hash": "", "policies_hash": ""}
    return row(
        Decision(EVENT, **known),
        now=1.0,
        policies=(),
        masks=Masks(Guardrails(()), ()),
        **hashes,
    )


@pytest.mark.parametrize("claimed", [2**63, -1, True, 1.5, "7", None, [1]])
def test_tokens_that_cannot_be_are_not_counted(claimed) -> None:
    """A count beyond 64 bits, below 0 or of another type is unknown, and the row can be stored."""
    usage = {"prompt_tokens": claimed, "completion_tokens": 2, "prompt_tokens_details": claimed}
    read = counted(usage)
    found = written(usage=read, charge=charge(read, Price(input=1, output=3), None))
    assert (found["input_tokens"], found["output_tokens"], found["cached_tokens"]) == (
        None,
        2,
        None,
    )
    assert found["cost"] == pytest.approx(6e-6)


def test_the_largest_count_is_kept() -> None:
    """What fits a column stands in it."""
    assert written(usage=counted({"prompt_tokens": 2**63 - 1}))["input_tokens"] == 2**63 - 1
