"""The linear classifier: its features, its windows and the files that ship."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.classifier import features, model
from ai_gateway.guardrails.classifier.model import Classifier
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.vocabulary import Vocabulary

NAMES = ("injection", "harm")
NOTHING = Vocabulary(())
FOLDER = Path(model.__file__).parent


def normalised(text: str) -> Normalised:
    """A text as no policy looks for words in it."""
    return Normalised(text, NOTHING)


def parts(words: list[str]) -> list[np.ndarray]:
    """The buckets of each length of n-grams: of characters, then of words."""
    of_characters, of_words, _ = features.hashed(words)
    return [*of_characters.T, *of_words.T]


def knowing(word: str) -> Classifier:
    """A classifier that counts nothing but one word."""
    weights = np.zeros(1 << features.BITS, np.int8)
    weights[parts([word])[len(features.CHARACTERS)][0]] = 100
    return Classifier(model.paired(weights), 0.1, 5.0, 1.0, (8, 24))


def test_equal_n_grams_have_equal_buckets() -> None:
    """Wherever they stand: of words, and of the characters within them."""
    written = ["abc", "d", "abc", "d"]
    threes, _, _, single, pairs, _ = parts(written)
    assert single[0] == single[2] != single[1]
    assert pairs[0] == pairs[2] != pairs[1]
    assert threes[0] == threes[6] == parts(["abc"])[0][0]
    assert features.hashed(written).starts.tolist() == [0, 4, 6, 10]


def test_what_is_known_is_found_where_it_stands() -> None:
    """The strongest window has the word, however long the text around it is."""
    for around in (0, 5, 40, 10_000):
        text = normalised("one two " * around + "sesame" + " three four" * around)
        score, first, last = knowing("sesame").score(text)
        assert first <= 2 * around <= last
        assert score > 0.9
        assert last - first < 8 or around == 0


def test_a_text_that_says_nothing_scores_zero() -> None:
    """No words, no evidence."""
    assert knowing("sesame").score(normalised("?!")) == (0.0, 0, 0)


def test_words_longer_than_any_are_cut() -> None:
    """Thousands of them cost what as many long words do, and are looked at."""
    text = normalised(" ".join(["x" * 1_000] * 4_096))
    of_characters, _, starts = features.hashed(text.words)
    assert starts.size == 4_096
    assert len(of_characters) < 4_096 * 20


def test_where_the_text_ends_there_are_no_n_grams() -> None:
    """Those that would reach over its end are the bucket of nothing, and count for nothing."""
    of_characters, of_words, _ = features.hashed(["ab", "c"])
    assert (of_characters == features.ABSENT).sum(axis=0).tolist() == [2, 3, 4]
    assert (of_words == features.ABSENT).sum(axis=0).tolist() == [0, 1, 2]
    assert model.paired(np.ones(1 << features.BITS, np.int8))[features.ABSENT] == 0


@given(st.lists(st.integers(-9_000, 9_000), min_size=2, max_size=60), st.data())
def test_short_and_long_texts_are_searched_alike(sums: list[int], data: st.DataObject) -> None:
    """Python's loops and numpy's find the same window."""
    size = data.draw(st.integers(1, len(sums) - 1))
    assert model._greatest(sums, size) == model._greatest(np.array(sums), size)


@pytest.mark.parametrize("name", NAMES)
def test_a_classifier_is_loaded_once(name) -> None:
    """All checks share one array, which nobody can change."""
    assert model.load(name) is model.load(name)
    with pytest.raises(ValueError, match="read-only"):
        model.load(name).weights[0] = 1


def test_both_classifiers_share_one_pass() -> None:
    """The features of a text stay with it."""
    text = normalised("a short text")
    model.load("injection").score(text)
    (features_of_it,) = text.memo.values()
    model.load("harm").score(text)
    assert next(iter(text.memo.values())) is features_of_it
    assert len(text.memo) == 1


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=12))
def test_a_pair_counts_what_each_does_alone(words: list[str]) -> None:
    """One look-up for two classifiers adds up the same as one for each."""
    draw = np.random.default_rng(7)
    both = draw.integers(-127, 128, (2, 1 << features.BITS)).astype(np.int8)
    pair, alone = model.paired(*both), [model.paired(each) for each in both]
    found = model._sums(pair, features.features(words))
    assert found == [model._sums(each, features.features(words))[0] for each in alone]


@pytest.mark.parametrize("name", NAMES)
def test_where_a_classifier_comes_from_is_told(name) -> None:
    """Sets with publisher, licence and rows, the script, its seed, the date, the false alarms."""
    told = model.provenance(name)
    assert told["script"] == "evals/classifiers/train.py"
    assert {"seed", "date", "threshold", "false_positive_rate", "scale"} <= told.keys()
    assert 0 < told["false_positive_rate"] <= 0.02
    assert all(file["publisher"] and file["licence"] for file in told["files"].values())
    assert all(sum(rows.values()) for rows in told["rows"].values())
    assert sum(rows["positive"] for rows in told["rows"].values()) > 1_000
    assert sum(rows["negative"] for rows in told["rows"].values()) > 1_000


def test_the_files_are_small() -> None:
    """All of them together stay under 1 MB."""
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) < 1_000_000


def test_a_file_of_another_kind_is_refused(tmp_path) -> None:
    """Weights that do not fit the features would score nonsense."""
    np.savez_compressed(tmp_path / "odd.npz", weights=np.zeros(3))
    (tmp_path / "odd.json").write_text(json.dumps({"unit": 1, "centre": 0, "slope": 1}))
    with pytest.raises(ValueError, match=r"odd\.npz: found float64 \(3,\)"):
        model.read("odd", tmp_path)


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(max_size=300))
def test_any_text_has_a_score(name, text) -> None:
    """Between 0 and 1, the same every time, at a place in the text."""
    read = normalised(text)
    score, first, last = model.load(name).score(read)
    assert 0 <= score <= 1
    assert model.load(name).score(normalised(text)) == (score, first, last)
    if read.words:
        start, end = read.span(first, last)
        assert 0 <= start < end <= len(text)
