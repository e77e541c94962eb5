"""Where an upstream counted nothing there is an estimate, which says that it is one."""

from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cost.estimate import estimate, is_estimate
from ai_gateway.cost.tokens import tokens
from ai_gateway.formats import Usage


def test_without_a_usage_both_counts_are_estimated() -> None:
    """Four bytes a token, four tokens a message; marked in the raw usage."""
    found = estimate(Usage(), ["What is the capital of France?"], "Paris, of course.")
    assert (found.input, found.output) == (15, 5)
    assert is_estimate(found.raw)
    assert found.raw["prompt_tokens"] == 15


def test_a_whole_usage_is_no_estimate() -> None:
    """It is handed back as it is."""
    usage = Usage(3, 2, raw={"prompt_tokens": 3, "completion_tokens": 2})
    assert estimate(usage, ["long " * 100], "long " * 100) is usage
    assert not is_estimate(usage.raw)
    assert not is_estimate(None)


def test_a_broken_stream_is_charged_for_what_was_said() -> None:
    """Messages name one output token at the start; the input is exact and stays."""
    usage = Usage(10, 1, raw={"input_tokens": 10, "output_tokens": 1, "total_tokens": 11})
    found = estimate(usage, ["Hi"], "word " * 40, broken=True)
    assert found.raw == {"input_tokens": 10, "output_tokens": 50, "estimated": True}
    assert estimate(usage, ["Hi"], "word " * 40) is usage
    assert estimate(usage, ["Hi"], "a", broken=True) is usage


def test_an_output_that_alone_is_missing_is_added() -> None:
    """By the name that this API has for it."""
    found = estimate(Usage(10, raw={"prompt_tokens": 10}), [], "Paris")
    assert found.raw == {"prompt_tokens": 10, "completion_tokens": 2, "estimated": True}


@given(st.lists(st.text(), max_size=5), st.text())
def test_an_estimate_can_be_priced(texts, answer) -> None:
    """Its raw usage counts what it says, so that its cost can be worked out again."""
    found = estimate(Usage(), texts, answer)
    counted = tokens(Usage(raw=found.raw))
    assert (counted.input, counted.output) == (found.input, found.output)
