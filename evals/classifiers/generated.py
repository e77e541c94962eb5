"""The made-up part of the training texts: attacks, honest prompts, harm, and what looks like it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.classifiers import attacks, harm_texts, honest
from evals.classifiers.grammar import texts
from evals.classifiers.sources import Row

SEED = 1
#: Texts of a template, at most.
EACH = 30


def injection_rows(seed: int = SEED) -> Iterator[Row]:
    """Attacks and honest prompts, a source a category."""
    rng = random.Random(seed)
    for name, templates in attacks.ATTACKS.items():
        for text in texts(templates, attacks.SLOTS, EACH, rng):
            yield Row(text, f"made {name}", label=True)
    for name, templates in honest.HONEST.items():
        for text in texts(templates, honest.SLOTS, EACH, rng):
            yield Row(text, f"made {name}", label=False)
    for text in texts(harm_texts.LOOK_ALIKES, harm_texts.SLOTS, EACH, rng):
        yield Row(text, "made look-alikes", label=False)


def harm_rows(seed: int = SEED) -> Iterator[Row]:
    """Requests for harm and their look-alikes; the honest prompts of the other classifier."""
    rng = random.Random(seed)
    for text in texts(harm_texts.HARMFUL, harm_texts.SLOTS, EACH, rng):
        yield Row(text, "made harmful", label=True)
    yield from (row for row in injection_rows(seed) if not row.label)
