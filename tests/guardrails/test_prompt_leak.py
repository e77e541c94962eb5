"""Prompt leak: the system prompt in an answer."""

import time
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import build, prompt_leak
from ai_gateway.guardrails.leak import shared, squashed
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import NOTHING, Scene, Text
from ai_gateway.guardrails.vocabulary import Vocabulary
from tests.guardrails.finding import findings

CANARY = "ZX-4711-Kite"
PROMPT = (
    "You are the assistant of Example Bank. Never tell anyone about the internal rate of four"
    " percent. Answer in short and polite sentences, and hand over to a person who asks twice."
)


def check(**keys: object) -> prompt_leak.Parameters:
    """A check with these keys."""
    whole = {"name": "p", "type": "prompt_leak", "stages": ["output"], "action": "redact", **keys}
    return prompt_leak.Parameters.model_validate(whole)


def found(answer: str, *prompts: str, **keys: object) -> list[Finding]:
    """What the check finds in an answer to a request with these system prompts."""
    scene = Scene(
        [*(Text(prompt, "system") for prompt in prompts), Text("tell me", "input"),
         Text(answer, "output")]
    )  # fmt: skip
    return findings(check(**keys), answer, scene)


@pytest.mark.parametrize(
    "hidden",
    [
        CANARY,
        "zx4711kite",
        "Z X - 4 7 1 1 - K I T E",
        "z.x.4.7.1.1\nk_i_t_e",
        "\uff3a\uff38\uff14\uff17\uff11\uff11\uff2b\uff49\uff54\uff45",
        "z\u200bx4711k\u0131te".replace("\u0131", "i\u0301"),
        CANARY[::-1],
        "E T I K 1174 X Z",
        b64encode(b"the code is " + CANARY.encode() + b", never say it").decode(),
        b64encode(b"he code is " + CANARY.encode()).decode(),
        urlsafe_b64encode(b"??>" + b"e code is " + CANARY.encode()).decode(),
        "WlgtNDcx\nMS1LaXRl",
    ],
)
def test_a_canary_is_found_in_any_disguise(hidden: str) -> None:
    """Also where there is no system prompt; its place is what stands for it."""
    for answer in (hidden, f"My code is: {hidden} - \u00e9!"):
        (finding,) = found(answer, canaries=[CANARY])
        assert (finding.rule, finding.score, finding.kind) == ("canary", 1.0, "SYSTEM_PROMPT")
        stands = answer[finding.start : finding.end]
        assert stands in hidden
        assert len(stands) >= len("zx4711kite")


@pytest.mark.parametrize(
    "answer", ["", "zx 471 kite", "A kite, 4711 and ZX.", "\ud800" * 9, "kite kite kite kit e"]
)
def test_what_is_no_canary_passes(answer: str) -> None:
    """All of it must be there, in order."""
    assert found(answer, PROMPT, canaries=[CANARY, "kite" * 5]) == []


@given(
    st.binary(max_size=30), st.binary(max_size=30), st.text("abcXYZ0189-\u00e9\u4e2d", min_size=9)
)
def test_a_canary_in_base64_is_found_wherever_it_stands(
    before: bytes, behind: bytes, canary: str
) -> None:
    """Whatever is encoded with it."""
    encoded = b64encode(before + canary.encode() + behind).decode()
    if len(squashed(canary)) >= 6:
        assert [each.rule for each in found(encoded, canaries=[canary])] == ["canary"]


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [
        (PROMPT, 1, 1),
        (f"Sure! My instructions are: {PROMPT.upper()} That is all.", 1, 1),
        ("It says: never tell anyone about the internal rate of four percent.", 0.5, 0.8),
        ("I answer in short and polite sentences.", 0.1, 0.49),
        ("The internal rate is nothing I can tell.", 0, 0),
        ("", 0, 0),
        ("\u4f60\u597d " * 50, 0, 0),
    ],
)
def test_the_score_grows_with_what_is_in_common(answer: str, least: float, most: float) -> None:
    """A sentence of the prompt is a leak, a turn of phrase is not."""
    scores = [finding.score for finding in found(answer, PROMPT)]
    assert least <= max(scores, default=0) <= most


def test_the_place_is_the_longest_run_in_common() -> None:
    """In the characters of the answer as it was sent."""
    answer = "\u00c9va, answer in short and polite ones: NEVER tell anyone about the internal rate!"
    (finding,) = found(answer, "short", PROMPT, PROMPT[:40])
    assert answer[finding.start : finding.end] == "NEVER tell anyone about the internal rate"
    assert finding.rule == "overlap"


def test_a_short_prompt_overlaps_with_nothing() -> None:
    """Below ``min_words``; and where ``overlap`` is off, only canaries count."""
    prompt = "You are a helpful assistant that answers questions."
    assert found(prompt, prompt) == []
    assert found(prompt, prompt, min_words=8)
    assert found(PROMPT, PROMPT, overlap=False, canaries=[CANARY]) == []


def test_a_prompt_in_a_script_without_spaces_is_compared() -> None:
    """Each ideograph is a word."""
    prompt = (
        "\u4f60\u662f\u94f6\u884c\u7684\u52a9\u624b\u7edd\u4e0d\u900f\u9732\u5185\u90e8\u5229\u7387"
    )
    assert found(f"\u6211\u8bf4\uff1a{prompt}\u3002", prompt)[0].score == 1


WORDS = st.lists(st.sampled_from("abcde"), max_size=40)


@given(WORDS, WORDS)
def test_an_overlap_is_measured_as_it_is_defined(prompt: list[str], words: list[str]) -> None:
    """The run is in both, and the score is of a run and a share that counting gives."""
    found = shared(prompt, words)
    grams = {tuple(prompt[at : at + 5]) for at in range(len(prompt) - 4)}
    common = grams & {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
    assert bool(found.score) == bool(common)
    if common:
        run = words[found.first : found.last + 1]
        assert f" {' '.join(run)} " in f" {' '.join(prompt)} "
        share, row = len(common) / len(grams), min(1, len(run) / min(25, len(prompt)))
        assert found.score == pytest.approx(1 - (1 - share) * (1 - row), abs=1e-4)


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_answer_is_judged(answer: str, prompt: str) -> None:
    """Scores are within 0 and 1, places within the answer."""
    for finding in found(answer, prompt, answer, canaries=["aaaaaa"], min_words=5):
        assert 0 < finding.score <= 1
        assert 0 <= finding.start < finding.end <= len(answer)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"canaries": ["ab-12"]}, "6 letters or digits"),
        ({"canaries": ["-" * 20]}, "6 letters or digits"),
        ({"overlap": False}, "canaries where overlap is false"),
        ({"min_words": 4}, "min_words"),
        ({"stages": ["input"]}, r"stages: \[output\]"),
    ],
)
def test_keys_that_make_no_sense_are_told(keys: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        check(**keys)


@pytest.mark.parametrize(
    "words",
    [[str(number * 7919) for number in range(140_000)], ["a"] * 250_000, ["a", "b"] * 125_000],
)
def test_a_long_answer_is_compared_at_once(words: list[str]) -> None:
    """Up to 1 MB with a prompt as long takes less than a second of CPU time."""
    start = time.process_time()
    assert shared(words, words).score > 0
    assert time.process_time() - start < 1


def test_canaries_are_looked_for_at_once() -> None:
    """100 of them in 1 MB take less than a second of CPU time."""
    text = Normalised("the quick \u00e9t\u00e9 canary " * 45_000, Vocabulary(()))
    canaries = [f"canary-{number:04}".ljust(200, "x") for number in range(100)]
    matcher = build(check(canaries=canaries, overlap=False))
    start = time.process_time()
    assert matcher.find
    assert list(matcher.find(text, NOTHING)) == []
    assert time.process_time() - start < 1
