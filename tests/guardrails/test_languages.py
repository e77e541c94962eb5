"""Languages: which ones a text is in."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import languages
from tests.guardrails.finding import findings

ENGLISH = "The meeting was moved to Thursday, because most of us were out of the office. "
GERMAN = "Die Sitzung wurde auf Donnerstag verschoben, weil die meisten nicht im Haus waren. "
FRENCH = "La r\u00e9union est report\u00e9e \u00e0 jeudi, car presque tous \u00e9taient absents. "
RUSSIAN = (
    "\u0417\u0430\u0441\u0435\u0434\u0430\u043d\u0438\u0435 \u043f\u0435\u0440\u0435\u043d\u0435"
    "\u0441\u043b\u0438 \u043d\u0430 \u0447\u0435\u0442\u0432\u0435\u0440\u0433, \u043f\u043e"
    "\u0442\u043e\u043c\u0443 \u0447\u0442\u043e \u043d\u0438\u043a\u043e\u0433\u043e \u043d\u0435"
    " \u0431\u044b\u043b\u043e \u043d\u0430 \u043c\u0435\u0441\u0442\u0435."
)
JAPANESE = (
    "\u4f1a\u8b70\u306f\u6728\u66dc\u65e5\u306b\u5ef6\u671f\u3055\u308c\u307e\u3057\u305f\u3002"
    "\u307b\u3068\u3093\u3069\u306e\u4eba\u304c\u51fa\u5f35\u4e2d\u3060\u3063\u305f\u305f\u3081"
    "\u3067\u3059\u3002"
) * 2
PYTHON = """
import os
def total(items, rate=0.2):
    value = sum(item.price for item in items if item.kind != "gift")
    return round(value * (1 + rate), 2) if value > 0 else None
class Basket(dict):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rate = os.environ.get("RATE", default=0.2)
"""


def check(*allowed: str, **keys: object) -> languages.Parameters:
    """A check that allows these languages."""
    return languages.Parameters(
        name="l", type="languages", stages=("input",), action="block", allowed=allowed, **keys
    )


def found(text: str, *allowed: str, **keys: object) -> list[str]:
    """The languages found that are not allowed, at the default threshold."""
    return [each.rule for each in findings(check(*allowed, **keys), text) if each.score >= 0.5]


@pytest.mark.parametrize(
    ("text", "language"),
    [(ENGLISH, "en"), (GERMAN, "de"), (FRENCH, "fr"), (RUSSIAN, "ru"), (JAPANESE, "ja")],
)
def test_a_language_passes_where_it_is_allowed_and_only_there(text: str, language: str) -> None:
    """Whatever its script; in capital letters, too."""
    for way in (text, text.upper()):
        assert found(way, language, "it") == []
        assert found(way, "it", "pt") == [language]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Guten Morgen",
        "1234567890 " * 50,
        "https://example.com/die/sitzung/wurde/verschoben?weil=nicht " * 5,
        "a.b@example.com, " * 20,
        "\U0001f600 " * 100,
        PYTHON,
        f"```python\n{PYTHON}```",
        "`die Sitzung wurde auf Donnerstag verschoben` `weil die meisten nicht da waren`",
        "```\n" + GERMAN * 3,
        "\ud800" * 100,
        "a" * 200,
    ],
)
def test_what_is_in_no_language_passes(text: str) -> None:
    """Too few words, numbers, addresses and code."""
    assert found(text, "ja") == []


def test_words_around_code_are_judged() -> None:
    """A question about code is in the language of the question."""
    assert found(f"{GERMAN}\n```python\n{PYTHON}```\n{GERMAN}", "en") == ["de"]
    assert found(f"{ENGLISH}\n```python\n{PYTHON}```\n{ENGLISH}", "en") == []


def test_a_part_in_another_language_does_not_hide_in_a_long_text() -> None:
    """It is found with the piece of 1,000 characters that it stands in."""
    text = ENGLISH * 40 + GERMAN * 20 + ENGLISH * 40
    (finding,) = [each for each in findings(check("en"), text) if each.score >= 0.5]
    assert finding.rule == "de"
    assert "Donnerstag" in text[finding.start : finding.end]
    assert finding.end - finding.start == 1_000


def test_few_letters_are_judged_where_the_policy_says_so() -> None:
    """Below ``min_characters`` nothing is found."""
    text = "Die Sitzung wurde verschoben."
    assert found(text, "en") == []
    assert found(text, "en", min_characters=20) == ["de"]


def test_a_language_that_is_not_sure_is_none() -> None:
    """With a ``confidence`` that no text reaches nothing is found."""
    assert found(GERMAN, "en", confidence=1.0) == []


def test_a_language_stands_for_its_parts() -> None:
    """Who allows Norwegian allows Nynorsk."""
    nynorsk = "Eg veit ikkje kva dei har gjort med bøkene våre, men me må finne dei att no."
    assert found(nynorsk, "no") == []
    assert found(nynorsk, "en") in (["nn"], ["no"])


def test_the_known_codes_are_those_of_the_model() -> None:
    """All that have two letters."""
    labels = languages._identifier().labels
    assert {label for label in labels if len(label) == 2} == languages.KNOWN
    assert languages._PARTS.keys() <= set(labels)


@given(st.text(max_size=200))
def test_no_text_makes_the_check_fail(text: str) -> None:
    """Scores are within 0 and 1, places within the text."""
    for finding in findings(check("en", min_characters=10, confidence=0.01), text):
        assert 0 < finding.score <= 1
        assert 0 <= finding.start < finding.end <= len(text)


def test_threads_may_share_a_check() -> None:
    """Eight at once find what one finds."""
    texts = [ENGLISH, GERMAN, FRENCH, RUSSIAN] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: found(text, "en"), texts)) == [
            [], ["de"], ["fr"], ["ru"],
        ] * 20  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"allowed": []}, "allowed"),
        ({"allowed": ["english"]}, "ISO 639-1"),
        ({"allowed": ["EN"]}, "ISO 639-1"),
        ({"allowed": ["en"], "confidence": 0}, "confidence"),
        ({"allowed": ["en"], "min_characters": 3}, "min_characters"),
    ],
)
def test_keys_that_make_no_sense_are_told(keys: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        languages.Parameters(name="l", type="languages", stages=("input",), action="block", **keys)


@pytest.mark.parametrize("text", [ENGLISH * 13_000, "a1 " * 333_000, "`" * 1_000_000])
def test_a_long_text_is_judged_at_once(text: str) -> None:
    """1 MB takes less than a second of CPU time."""
    parameters = check("en")
    findings(parameters, ENGLISH)
    start = time.process_time()
    findings(parameters, text)
    assert time.process_time() - start < 1
