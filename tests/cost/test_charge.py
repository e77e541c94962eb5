"""What an answer costs, whichever upstream counted it."""

from decimal import Decimal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cost.charge import again, charge, cost, stated
from ai_gateway.cost.declared import Price
from ai_gateway.cost.prices import Rates, declared
from ai_gateway.cost.tokens import Tokens
from ai_gateway.formats import Usage
from ai_gateway.formats.chat import Reader

SONNET = Price(
    input=3, output=15, cached=0.3, cache_write=3.75, cache_write_1h=6, reasoning=15, searches=10
)


def unknown(_counted) -> None:
    """No public price."""


def amount(raw, price=SONNET) -> Decimal:
    """What the usage comes to."""
    return charge(Usage(raw=raw), price, unknown).amount


def test_cached_tokens_are_not_priced_as_input() -> None:
    """A prompt of 100,000 tokens of which 98,000 were cached costs a tenth of it, not all."""
    raw = {
        "prompt_tokens": 100_000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 98_000},
    }
    assert amount(raw) == Decimal("0.0369")
    assert amount({**raw, "prompt_tokens_details": None}) == Decimal("0.3015")


def test_both_shapes_of_one_usage_cost_the_same() -> None:
    """Anthropic's input leaves the cache out, OpenAI's has it in; the bill is one."""
    messages = {
        "input_tokens": 2_000,
        "cache_read_input_tokens": 98_000,
        "cache_creation_input_tokens": 1_000,
        "output_tokens": 100,
    }
    chat = {
        "prompt_tokens": 101_000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 98_000, "cache_creation_tokens": 1_000},
    }
    assert amount(messages) == amount(chat) == Decimal("0.04065")


def test_a_stream_costs_what_the_whole_answer_costs() -> None:
    """The usage chunk keeps its cached tokens on the way through the reader."""
    raw = {
        "prompt_tokens": 4_000,
        "completion_tokens": 200,
        "total_tokens": 4_200,
        "prompt_tokens_details": {"cached_tokens": 3_900},
    }
    reader = Reader()
    reader.add({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]})
    reader.add({"choices": [], "usage": raw})
    streamed = charge(reader.reading().usage, SONNET, unknown)
    assert streamed.amount == amount(raw)


def test_what_the_provider_searched_is_charged() -> None:
    """And what a compaction used, which the top level leaves out."""
    raw = {
        "input_tokens": 0,
        "output_tokens": 0,
        "server_tool_use": {"web_search_requests": 3},
        "iterations": [{"type": "compaction", "input_tokens": 1_000_000, "output_tokens": 0}],
    }
    assert amount(raw) == Decimal("3.03")


def test_reasoning_is_charged_once() -> None:
    """It is part of the completion, or on top where the total says so."""
    inside = {
        "prompt_tokens": 0,
        "completion_tokens": 1_000,
        "total_tokens": 1_000,
        "completion_tokens_details": {"reasoning_tokens": 900},
    }
    on_top = {**inside, "completion_tokens": 100}
    assert amount(inside) == amount(on_top) == Decimal("0.015")


def test_what_a_price_leaves_out_costs_what_it_is_part_of() -> None:
    """Cached as input, kept for an hour as written, reasoning as output, searches nothing."""
    rates = declared(Price(input=2, output=8))
    assert {rates.cached, rates.cache_write, rates.cache_write_1h} == {Decimal(2)}
    assert (rates.reasoning, rates.source) == (Decimal(8), "manifest")
    assert rates.searches == 0
    assert declared(Price(input=2, output=8, cache_write=3)).cache_write_1h == 3


def test_a_price_is_what_was_written() -> None:
    """A tenth is a tenth: three million tokens at 0.1 are 0.3, not 0.30000000000000004."""
    assert cost(Tokens(fresh=3_000_000), declared(Price(input=0.1, output=0))) == Decimal("0.3")


@pytest.mark.parametrize("field", Price.model_fields)
def test_a_price_is_not_below_nothing(field) -> None:
    """Nor is it infinite or no number."""
    for wrong in (-1, float("inf"), float("nan")):
        with pytest.raises(pydantic.ValidationError):
            Price.model_validate({"input": 1, "output": 1, field: wrong})


def test_the_upstreams_own_charge_counts_before_a_public_price() -> None:
    """As OpenRouter states it; the operator's own price counts before that."""
    raw = {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.00041}
    found = charge(Usage(raw=raw), None, unknown)
    assert (found.amount, found.price) == (Decimal("0.00041"), {"source": "upstream"})
    assert charge(Usage(raw=raw), Price(input=0, output=0), unknown).amount == 0


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 2}}, "0.5"),
        ({"cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": 2}}, "2.5"),
        ({"cost": 0.5, "is_byok": True, "cost_details": None}, "0.5"),
        ({"cost": -1}, None),
        ({"cost": 1e12}, None),
        ({"cost": True}, None),
        ({"cost": "1"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_stated_charge_is_read_with_care(raw, amount) -> None:
    """With the operator's own key the provider charges too; nonsense counts as nothing said."""
    assert stated(raw) == (None if amount is None else Decimal(amount))


def test_without_a_usage_or_a_price_the_cost_is_unknown() -> None:
    """Not nothing."""
    assert charge(Usage(), SONNET, unknown) is None
    assert charge(Usage(input=1), None, unknown) is None


def test_a_public_price_is_looked_up_by_what_was_counted() -> None:
    """So that a tier can be told."""
    asked = []

    def look_up(counted) -> Rates:
        asked.append(counted)
        return declared(SONNET)

    assert charge(Usage(input=7, output=1), None, look_up).amount > 0
    assert asked == [Tokens(fresh=7, answer=1)]


PRICES = st.builds(
    Price,
    **{name: st.floats(0, 1000) for name in Price.model_fields},
)


@given(
    st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"]),
        st.integers(0, 2**63 - 1),
        min_size=1,
    ),
    PRICES,
)
def test_what_is_stored_gives_the_same_amount_again(raw, price) -> None:
    """To the last digit, from the raw usage and the stored price alone."""
    found = charge(Usage(raw=raw), price, unknown)
    if found is not None:
        assert again(Usage(raw=raw), dict(found.price)) == found.amount


@pytest.mark.parametrize("stored", [{}, {"source": "manifest"}, {"input": "a lot"}])
def test_what_is_no_stored_price_is_an_error(stored) -> None:
    """It is not taken for one that is free."""
    with pytest.raises(ValueError, match="rates"):
        again(Usage(input=1), stored)


def test_a_stored_price_without_a_usage_gives_no_amount() -> None:
    """Neither of tokens nor of what the upstream stated."""
    assert again(Usage(), declared(SONNET).stored()) is None
    assert again(Usage(), {"source": "upstream"}) is None


def test_without_a_price_to_be_found_there_is_no_charge() -> None:
    """Unless the upstream itself says what it takes."""
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    assert charge(Usage(raw=usage), None, None) is None
    assert charge(Usage(raw={**usage, "cost": 0.5}), None, None).amount == Decimal("0.5")
