"""The prompts that measure false alarms are kept apart from those that train."""

from ai_gateway.guardrails.normalise import words_of
from evals.classifiers import generated
from evals.classifiers.trigger_prompts import PROMPTS

#: Words in a row that two texts must not share; of Chinese and Japanese each sign is one.
SHARED = 10
EVERY = [prompt for prompts in PROMPTS.values() for prompt in prompts]


def runs(text: str) -> set[tuple[str, ...]]:
    """Each ``SHARED`` words in a row; the whole of a shorter text."""
    words = words_of(text)
    return {tuple(words[at : at + SHARED]) for at in range(max(1, len(words) - SHARED + 1))}


def test_no_prompt_is_written_twice() -> None:
    """Each counts once."""
    assert len(set(EVERY)) == len(EVERY) >= 190


def test_no_prompt_is_in_training() -> None:
    """Nor ten words in a row of one, in what templates make for either classifier."""
    made = [*generated.injection_rows(), *generated.harm_rows()]
    learned = set().union(*(runs(row.text) for row in made))
    assert [prompt for prompt in EVERY if runs(prompt) & learned] == []
