"""Which models are tried, and how a canary gets its share."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.resilience import Canary, Fallback, mixed, order

CHAIN = Fallback(models=("model-b", "model-a", "model-c", "model-b"))


@pytest.mark.parametrize(
    ("fallback", "open_", "tried"),
    [
        (CHAIN, set(), ("model-a", "model-b", "model-c")),
        (CHAIN, {"model-b"}, ("model-a", "model-c")),
        (CHAIN, {"model-a"}, ("model-b", "model-c")),
        (CHAIN, {"model-a", "model-b", "model-c"}, ()),
        (CHAIN.model_copy(update={"on": ("5xx",)}), {"model-a"}, ()),
        (CHAIN.model_copy(update={"on": ("5xx",)}), set(), ("model-a", "model-b", "model-c")),
    ],
)
def test_the_chosen_first_then_its_fallbacks(fallback, open_, tried) -> None:
    """Each once, without those that are left alone; none where that is not to fall back."""
    assert order("model-a", fallback, lambda name: name not in open_) == tried


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1), min_size=1),
    st.floats(0.001, 1),
)
def test_a_canary_takes_its_share_of_the_probabilities(weights, share) -> None:
    """They still sum to 1, and the others keep their proportions."""
    total = sum(weights.values())
    before = {name: weight / total for name, weight in weights.items()}
    after = mixed(before, Canary(model="canary", share=share))
    assert math.isclose(sum(after.values()), 1)
    assert after["canary"] == share
    assert all(math.isclose(after[name], before[name] * (1 - share)) for name in before)
