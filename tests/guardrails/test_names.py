"""Names, by a model that the test makes: what spaCy finds is spaCy's own business."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import ValidationError

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import build, names
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import NOTHING
from ai_gateway.guardrails.vocabulary import Vocabulary
from tests.guardrails.finding import findings


def parameters(model: str, **keys) -> names.Parameters:
    """A check by ``model``."""
    return names.Parameters(
        name="names", type="names", stages=("input",), action="redact", model=model, **keys
    )


@pytest.fixture
def model(tmp_path: Path) -> str:
    """The folder of a model that knows two names."""
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Ada Lovelace"},
            {"label": "GPE", "pattern": "London"},
        ]
    )
    pipeline.to_disk(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.mark.parametrize("wrong", ["no_such_model", "no/such/folder", "json"])
def test_a_model_that_is_not_there_is_told_at_start(wrong: str) -> None:
    """And how it would be: spaCy itself, or a model of it, must be installed."""
    with pytest.raises(ValidationError, match=r"spaCy .*installed"):
        parameters(wrong)


@pytest.mark.skipif(find_spec("spacy") is not None, reason="spaCy is installed")
def test_without_spacy_the_extra_is_named() -> None:
    """An operator reads what to install."""
    with pytest.raises(ValidationError, match=r"ai-gateway\[names\]"):
        parameters("en_core_web_sm")


def test_names_of_the_wanted_labels_are_found_where_they_stand(model: str) -> None:
    """Their label is rule and placeholder; other labels are left alone."""
    text = "Did Ada Lovelace live in London?"
    found = findings(parameters(model), text)
    assert found == [Finding("PERSON", 0.8, 4, 16, "PERSON")]
    both = findings(parameters(model, entities=("PERSON", "GPE")), text)
    assert [(f.rule, text[f.start : f.end]) for f in both] == [
        ("PERSON", "Ada Lovelace"),
        ("GPE", "London"),
    ]


def test_a_label_that_the_model_has_not_is_told_at_start(model: str) -> None:
    """With those that it has."""
    with pytest.raises(ValidationError, match="without PLANET: the model has GPE, PERSON"):
        parameters(model, entities=("PERSON", "PLANET"))


def test_a_text_that_is_too_long_fails_the_check(model: str) -> None:
    """A model reads some 20,000 characters a second, and must not be sent a book."""
    assert findings(parameters(model, max_characters=12), "Ada Lovelace")
    with pytest.raises(ValueError, match="max_characters"):
        findings(parameters(model, max_characters=11), "Ada Lovelace")


def test_words_are_not_kept(model: str) -> None:
    """A pipeline remembers every word that it meets, which on a server is a leak."""
    find = build(parameters(model)).find
    assert find
    cells = [cell.cell_contents for cell in find.__closure__ or ()]
    (store,) = [cell.vocab.strings for cell in cells if hasattr(cell, "vocab")]
    before = len(store)
    text = Normalised(" ".join(f"word{n}" for n in range(100)), Vocabulary(()))
    assert list(find(text, NOTHING)) == []
    assert len(store) == before
