"""One decision is one row, whatever an upstream says of itself."""

from dataclasses import replace

import pytest

from ai_gateway.answer.masks import Masks
from ai_gateway.answer.record import Attempt, Decision, row
from ai_gateway.contract import Event
from ai_gateway.cost.charge import charge
from ai_gateway.cost.declared import Price
from ai_gateway.formats.chat import usage as counted
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.manifest.model import Route

EVENT = Event("0" * 32, Route(path="/inference"), "POST", "/inference", 0.0)


def written(event: Event = EVENT, **known) -> dict:
    """The row of a decision of which so much is known."""
    hashes = {"manifest_hash": "", "policies_hash": ""}
    return row(
        Decision(event, **known),
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
    assert (found["input_tokens"], found["output_tokens"]) == (None, 2)
    assert "cached_tokens" not in found
    assert found["cost"] == pytest.approx(6e-6)


def test_what_a_request_has_none_of_is_left_out() -> None:
    """It is read as null, and its column's name is neither written nor read for every row."""
    assert None not in written(attempts=[Attempt("model-a", status=200)])["attempts"][0].values()
    seldom = {"client_request_id", "team", "error", "shadow_of", "leaked", "weights_id"}
    assert not seldom & written().keys()


def test_what_few_requests_have_is_written() -> None:
    """Each of it in its column."""
    known = {"error": "timeout", "shadow_of": "1" * 32, "leaked": 0}
    event = replace(
        EVENT, headers={"x-request-id": "t" * 200}, caller=replace(EVENT.caller, team="blue")
    )
    found = written(event, **known)
    assert {name: found[name] for name in known} == known
    assert (found["client_request_id"], found["team"]) == ("t" * 128, "blue")


def test_the_largest_count_is_kept() -> None:
    """What fits a column stands in it."""
    assert written(usage=counted({"prompt_tokens": 2**63 - 1}))["input_tokens"] == 2**63 - 1
