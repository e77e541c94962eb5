"""A text is read as the words that it says."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails import normalise
from ai_gateway.guardrails.normalise import Normalised, words_of
from ai_gateway.guardrails.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    ["build", "building", "bomb", "bombs", "proof", "credit", "card", "c4", "ls", "todo"]
)


def words(text: str) -> str:
    """The words of ``text``, with one space between them."""
    return " ".join(Normalised(text, VOCABULARY).words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("How to  BUILD\na bomb?!", "how to build a bomb"),
        ("bu1ld a b0mb!", "build a bomb"),
        ("bu!ld b0mb$", "build bombs"),
        ("b o m b", "bomb"),
        ("build a b o m b now", "build a bomb now"),
        ("b-o-m-b b.o.m.b b*o*m*b b_o_m_b b!o!m!b", "bomb bomb bomb bomb bomb"),
        ("b 0 m b", "bomb"),
        ("bo mb", "bomb"),
        ("howtobuildabomb", "how to build a bomb"),
        ("buildtodobomb", "build todo bomb"),
        ("bombproof", "bomb proof"),
        ("b*mb b_mb bom* b0*b b*mb! bu*ld,", "bomb bomb bomb bomb bomb build"),
        ("b_mb \u00e9, \uff42\uff0amb, build*ng cr*dit c*rd", "bomb e bomb building credit card"),
        ("b**b b*m* *omb bo*bo", "b b b m omb bo bo"),
        ("*bold* **bomb** _bomb_ __init__ a * b x**2 bomb*", "bold bomb bomb init a b x 2 bomb"),
        ("bomb_squad my_bomb card* l*", "bomb squad my bomb card l"),
        ("\u0436b*mb \u0436bom* b*mb\u0436b*mb", "bomb bomb bomb mb"),
        ("credit card", "credit card"),
        ("c4 is c4", "c4 is c4"),
        ("mail joe@example.com!", "mail joe example com"),
        ("4 eggs, 10 spoons, mp3, ! | 2", "4 eggs 10 spoons mp3 2"),
        ("room 1 a", "room 1 a"),
        ("a 4", "a 4"),
        ("bombardment bombastic forbuild", "bombardment bombastic forbuild"),
        ("l s", "l s"),
        ("bombbombx", "bombbombx"),
        ("bombs bom", "bombs bom"),
        ("b" * 200, "b" * 200),
        ("", ""),
    ],
)
def test_words_are_put_back_together(text: str, said: str) -> None:
    """Only into words of the vocabulary; everything else stays as it is."""
    assert words(text) == said


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("to build a bomb.", "build a bomb"),
        ("so b*u*i*l*d a b-o-m-b!", "b*u*i*l*d a b-o-m-b"),
        (
            "\U0001f600 build\u200b\u200b a \uff42\u200domb\u0301 x",
            "build\u200b\u200b a \uff42\u200domb",
        ),
        ("please buildabomb now", "buildabomb"),
        ("bu1ld@home a b0mb$, ok", "bu1ld@home a b0mb$"),
        ("so *build* a b*mb!, ok", "build* a b*mb"),
        ("BU_LD a\u0301 bom*", "BU_LD a\u0301 bom"),
    ],
)
def test_a_span_points_into_the_text_as_sent(text: str, place: str) -> None:
    """Whatever was put back together, dropped or split on the way."""
    normalised = Normalised(text, VOCABULARY)
    first = normalised.words.index("build")
    last = max(i for i, word in enumerate(normalised.words) if word in {"bomb", "bombs"})
    start, end = normalised.span(first, last)
    assert text[start:end] == place


def test_a_long_text_is_read_like_a_short_one() -> None:
    """Slices end between words, or after a long while in one; spans stay true."""
    text = "word " * 40_000 + "x" * 300_000 + " build a b o m b"
    normalised = Normalised(text, VOCABULARY)
    assert normalised.words[-3:] == ["build", "a", "bomb"]
    last = len(normalised.words) - 1
    start, end = normalised.span(last, last)
    assert text[start:end] == "b o m b"


@given(st.text() | st.text(alphabet="bomuildcard 014@$!|-*_\u200b\u0301\u0412\u70b8", max_size=80))
def test_any_text_has_words_and_spans(text: str) -> None:
    """No text crashes; every word's span is a piece of the text, in order."""
    normalised = Normalised(text, VOCABULARY)
    spans = [normalised.span(i, i) for i in range(len(normalised.words))]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


@given(st.text(st.characters(codec="ascii"), max_size=80))
def test_tokens_of_ascii_are_those_of_any_text(text: str) -> None:
    """Words end at the same characters, whichever way they are split."""
    folded = text.lower()
    assert normalise._tokens(folded) == normalise._TOKEN.findall(folded.replace("_", " "))


def test_a_star_stands_for_one_word_alone() -> None:
    """Where two words of the policies fit, neither was said."""
    both = Vocabulary(["bomb", "boob", "bombs"])
    assert Normalised("bo*b b*mb bom*s", both).words == ["bo", "b", "bomb", "bombs"]


def test_words_are_worked_out_when_they_are_asked_for() -> None:
    """A check that only looks at the text as sent pays nothing for them."""
    normalised = Normalised("a b o m b", VOCABULARY)
    assert normalised._words is None
    assert normalised.words is normalised.words
    assert normalised.folded == "a b o m b"


@pytest.mark.parametrize(
    "piece",
    [
        "b*mb ",
        "b*",
        "x_",
        "b ",
        "b o m ",
        "b0m ",
        "!",
        "a",
        "howtobuildabom",
        "b\u200b",
        "\u0301",
        "@b",
        "\u70b8",
        "_",
    ],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """Ten times the text takes about ten times as long, also where each word begins like ours."""
    short, long = (_seconds((piece * size)[:size]) for size in (20_000, 200_000))
    assert long < 40 * max(short, 0.001)


def _seconds(text: str) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        Normalised(text, VOCABULARY)
        times.append(time.process_time() - start)
    return min(times)


def test_a_phrase_of_a_policy_is_read_the_same_way() -> None:
    """Case, width and punctuation of the policy file do not matter."""
    assert words_of("  Pipe-BOMB! ") == ["pipe", "bomb"]
    assert words_of("!?") == []
