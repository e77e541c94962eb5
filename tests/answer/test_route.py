"""Which model is chosen, and how likely that was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.answer.route import SEEDS, choose, pinned
from ai_gateway.answer.weights import Score
from ai_gateway.manifest.model import Routing
from ai_gateway.resilience import Canary

SCORES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.floats(0, 1), min_size=1).map(
    lambda found: {model: Score(score) for model, score in found.items()}
)
ROUTING = st.builds(
    Routing,
    policy=st.sampled_from(["highest-score", "weighted"]),
    explore=st.floats(0, 1),
    floor=st.floats(0.01, 1),
)
SEED = st.integers(0, SEEDS - 1)


@given(SCORES, ROUTING, SEED)
def test_probabilities_are_a_distribution(scores, routing, seed) -> None:
    """The candidates' probabilities add up to one, and the chosen one's is its propensity."""
    choice = choose(tuple(scores), scores, routing, seed)
    assert sum(candidate.probability for candidate in choice.candidates) == pytest.approx(1)
    chosen = {candidate.model: candidate.probability for candidate in choice.candidates}
    assert chosen[choice.chosen] == choice.propensity > 0


@given(SCORES, ROUTING, SEED, st.sampled_from("abcd"), st.floats(0.01, 1))
def test_a_canary_has_its_share(scores, routing, seed, model, share) -> None:
    """Whatever its score; the others share the rest as without it, and the sum stays one."""
    canary = Canary(model=model, share=share)
    choice = choose(tuple(scores), scores, routing, seed, canary)
    found = {candidate.model: candidate.probability for candidate in choice.candidates}
    assert list(found) == list(scores)
    assert sum(found.values()) == pytest.approx(1)
    assert found[choice.chosen] == choice.propensity > 0
    others = tuple(each for each in scores if each != model)
    if model not in scores or not others:
        assert choice == choose(tuple(scores), scores, routing, seed)
        return
    assert found[model] == share
    for each in choose(others, scores, routing, seed).candidates:
        assert found[each.model] == pytest.approx(each.probability * (1 - share))


@given(SCORES, ROUTING, SEED)
def test_a_choice_can_be_derived_again(scores, routing, seed) -> None:
    """The same scores, routing and seed give the same choice."""
    first = choose(tuple(scores), scores, routing, seed)
    assert first == choose(tuple(scores), scores, routing, seed)


@given(SCORES, ROUTING)
def test_no_seed_falls_through(scores, routing) -> None:
    """The least and the greatest seed choose a model that had a chance."""
    for seed in (0, SEEDS - 1):
        assert choose(tuple(scores), scores, routing, seed).propensity > 0


@pytest.mark.parametrize(
    ("policy", "scores", "explore", "expected"),
    [
        ("highest-score", (0.9, 0.5), 0.0, (1.0, 0.0)),
        ("highest-score", (0.9, 0.5), 0.1, (0.95, 0.05)),
        ("highest-score", (1.0, 1.0), 0.1, (0.5, 0.5)),
        ("highest-score", (0.05, 0.02), 0.0, (0.5, 0.5)),  # both below the floor: a tie
        ("weighted", (0.9, 0.3), 0.0, (0.75, 0.25)),
        ("weighted", (0.9, 0.0), 0.0, (0.9, 0.1)),  # the floor
        ("weighted", (0.9, 0.3), 0.2, (0.7, 0.3)),
    ],
)
def test_each_policy_gives_the_probabilities_it_promises(policy, scores, explore, expected) -> None:
    """Best takes all or share by score; a tie is shared; exploration is spread over all."""
    named = dict(zip("ab", map(Score, scores), strict=True))
    choice = choose(("a", "b"), named, Routing(policy=policy, explore=explore), 0)
    assert expected == pytest.approx(tuple(found.probability for found in choice.candidates))


def test_frequencies_follow_the_recorded_probabilities() -> None:
    """Over evenly spread seeds each model is chosen as often as its probability says."""
    scores = {"a": Score(0.9), "b": Score(0.6), "c": Score(0.3)}
    routing = Routing(policy="weighted", explore=0.1)
    draws = [choose(tuple(scores), scores, routing, n * (SEEDS // 10_000)) for n in range(10_000)]
    for candidate in draws[0].candidates:
        share = sum(draw.chosen == candidate.model for draw in draws) / len(draws)
        assert candidate.probability == pytest.approx(share, abs=0.001)


def test_a_pinned_model_is_certain() -> None:
    """Who names a model gets it: nothing is drawn, and nothing enters an estimate."""
    choice = pinned("b", Score(0.2))
    assert (
        choice.selection,
        choice.chosen,
        choice.propensity,
        choice.seed,
    ) == ("pinned", "b", 1.0, None)
