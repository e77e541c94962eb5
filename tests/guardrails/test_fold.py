"""Characters are read as what they look like."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails import fold as folding
from ai_gateway.guardrails.fold import fold, origins


@pytest.mark.parametrize(
    "text",
    [
        "BOMB",
        "\uff42\uff4f\uff4d\uff42",  # full width
        "\U0001d4eb\U0001d4f8\U0001d4f6\U0001d4eb",  # mathematical script
        "b\u200bo\u200dm\ufeffb",  # zero width
        "\u202eb\u2066omb",  # bidirectional controls
        "bo\u00admb",  # soft hyphen
        "b\u0337o\u0322m\u0336b\u0337",  # struck through
        "\u1e03\u00f6\u1e43\u1e05",  # accents
        "\u0299\u1d0f\u1d0d\u0299",  # small capitals
        "\u24d1\u24de\u24dc\u24d1",  # circled
        "\U0001f171\U0001f17e\U0001f17c\U0001f171",  # squared
        "\U0001f1e7\U0001f1f4\U0001f1f2\U0001f1e7",  # regional indicators
        "b\u043em\u042c"[:3] + "b",  # Cyrillic o
        "\u0412\u041e\u041c\u0412",  # Cyrillic capitals
        "b\u03bfmb",  # Greek omicron
        "\u0253omb",  # hooked
        "b\u3164omb\u2800",  # blanks
    ],
)
def test_a_disguise_is_taken_off(text: str) -> None:
    """Each way to write the four letters folds to them."""
    assert fold(text) == "bomb"


def test_other_scripts_stay_readable() -> None:
    """They keep their letters, ideographs are words of their own, _ is a star."""
    assert fold("Stra\u00dfe") == "strasse"
    assert fold("\ud55c\uad6d\uc5b4") == "\ud55c\uad6d\uc5b4"
    assert fold("\u70b8\u5f39_x").split() == ["\u70b8", "\u5f39", "*x"]


@given(st.text())
def test_every_place_leads_back(text: str) -> None:
    """There is one origin for each folded character and one for the end, in order."""
    places = list(origins(text))
    assert len(places) == len(fold(text)) + 1
    assert places == sorted(places)
    assert places[-1] == len(text)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    """What is folded is plain already, but for the spaces around ideographs."""
    once = "".join(fold(text).split())
    assert "".join(fold(once).split()) == once


def test_a_long_text_folds_like_its_parts() -> None:
    """Slicing changes nothing, wherever it cuts."""
    text = "b\u200bo\u0337m\uff42 " * 30_000
    assert fold(text) == "bomb " * 30_000


def test_the_memory_for_folds_is_bounded() -> None:
    """A text with every character there is does not grow the process without end."""
    fold("".join(map(chr, range(0xD7FF))))
    assert len(folding._FOLDS) <= folding._MAX_CACHED


def test_the_table_of_look_alikes_says_where_it_is_from() -> None:
    """It names its licence, and leads from one character to one letter each."""
    path = Path(folding.__file__).with_name("look_alikes.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    sources = [source for letters in data["look_alikes"].values() for source in letters]
    assert "Unicode-3.0" in data["licence"]
    assert set(data["look_alikes"]) <= set(string.ascii_lowercase)
    assert len(sources) == len(set(sources))
    assert not any(source.isascii() for source in sources)
