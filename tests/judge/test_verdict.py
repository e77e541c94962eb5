"""A judge's reply holds a verdict or it does not; nothing is made up."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.judge.verdict import MAX_REASON, MAX_REPLY, Verdict, VerdictError, parse

SCORES = st.floats(min_value=0, max_value=1) | st.sampled_from([0, 1])
REASONS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
PROSE = st.text(st.characters(exclude_characters='{}"<'))
VERDICT = '{"score": 0.8, "reason": "Right."}'
LOW = '{"score": 0.1, "reason": "Wrong."}'
WRAPPINGS = [
    "%s",
    "```json\n%s\n```",
    "```\n%s```",
    'Let me see. The set {a, b} is right, {"too\n\n%s',
    '<think>\nPerhaps {"score": 0.3, "reason": "Hm."}?\n</think>\n\n%s',
    'It opened in the prompt {"score": 0.3, "reason": "Hm."}</think>%s',
    "%s\n\nI hope that this helps {you}.",
    "[%s]",
    '{"score": 0.9} is what the answer says.\n%s',
    '{"quoted": "data"} %s',
    "%s %s",
]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_verdict_is_found_however_models_wrap_it(wrapping):
    """Fences, thoughts, prose and quoted objects around a verdict change nothing."""
    text = wrapping.replace("%s", VERDICT)
    assert parse(text) == Verdict(0.8, "Right.")


@given(SCORES, REASONS, st.tuples(PROSE, PROSE), st.sampled_from(WRAPPINGS), st.integers(0, 2))
def test_any_verdict_in_any_wrapping_is_found(score, reason, prose, wrapping, indent):
    """Whatever number and reason a judge gives, and whatever it says around them."""
    verdict = json.dumps({"score": score, "reason": reason}, indent=indent or None)
    text = wrapping.replace("%s", verdict).join(prose)
    assert parse(text) == Verdict(score, reason.strip()[:MAX_REASON])


@given(st.text() | st.text('{}[]",:scoreanuti01.<>/hk \\'))
def test_any_text_is_a_verdict_or_a_verdict_error(text):
    """No reply raises anything else, and no score lies outside 0..1."""
    with contextlib.suppress(VerdictError):
        assert 0 <= parse(text).score <= 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "no verdict"),
        ("0.8", "no verdict"),
        ("The answer deserves a score of 0.8.", "no verdict"),
        ("{}", "no verdict"),
        ('["score", 0.8]', "no verdict"),
        ('{"Score": 0.8, "reason": "Right."}', "no verdict"),
        ('{"verdict": {"score": 0.8, "reason": "Right."}}', "no verdict"),
        ('{"score": 0.8, "reason": "It was cut', "no verdict"),
        ('{"score": "0.8", "reason": "Right."}', "not a number"),
        ('{"score": true, "reason": "Right."}', "not a number"),
        ('{"score": null, "reason": "Right."}', "not a number"),
        ('{"score": [0.8], "reason": "Right."}', "not a number"),
        ('{"score": 1.01, "reason": "Right."}', "outside"),
        ('{"score": 85, "reason": "Right."}', "outside"),
        ('{"score": -0.1, "reason": "Right."}', "outside"),
        ('{"score": NaN, "reason": "Right."}', "outside"),
        ('{"score": Infinity, "reason": "Right."}', "outside"),
        ('{"score": 1e999, "reason": "Right."}', "outside"),
        ('{"score": %s, "reason": "Right."}' % ("9" * 50_000), "outside"),
        ('{"score": 0.8}', "reason is missing"),
        ('{"score": 0.8, "reason": ""}', "reason is missing"),
        ('{"score": 0.8, "reason": " \\n"}', "reason is missing"),
        ('{"score": 0.8, "reason": ["Right."]}', "reason is missing"),
        ('{"score": 0.1, "score": 0.8, "reason": "Right."}', "twice"),
        (f"{LOW} {VERDICT}", "contradict"),
        (f"{VERDICT}\nThe answer tried to pass this off as mine: {LOW}", "contradict"),
        (f"<think>{VERDICT}", "within a thought"),
        (f"<think>{VERDICT}</think>", "no verdict"),
        (f"{LOW}<think>wait</think> Done.", "no verdict"),
        (VERDICT + " " * MAX_REPLY, "too long"),
        ('{"a": ' + "[" * 90_000, "too deep"),
    ],
)
def test_what_is_no_verdict_is_an_error_with_a_short_cause(text, cause):
    """A missing, malformed or contradicted score fails; none is ever made up."""
    with pytest.raises(VerdictError, match=cause):
        parse(text)


def test_a_tag_inside_a_reason_is_somebodys_words():
    """A judge may speak of an answer's stray </think> without losing its verdict."""
    reason = "It shows its <think> and </think>; see <think>."
    assert parse(json.dumps({"score": 0.4, "reason": reason})) == Verdict(0.4, reason)


def test_a_reason_may_break_its_line_and_hold_what_is_no_character():
    """A raw line break is kept; half a surrogate pair cannot be stored and becomes a mark."""
    assert parse('{"score": 1, "reason": "One.\nTwo \\ud800."}') == Verdict(1.0, "One.\nTwo ?.")


def test_a_long_reason_is_cut():
    """A reason takes at most MAX_REASON characters of a record."""
    assert len(parse(json.dumps({"score": 0, "reason": "x" * 9000})).reason) == MAX_REASON


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "}",
        '{"',
        '{"a":',
        '{"a":1,',
        '{"score":',
        "<think>",
        "</think>",
        '{"a":[',
        '"',
        "{ ",
        "\\",
    ],
)
@pytest.mark.parametrize("end", ["", VERDICT])
def test_hostile_replies_take_linear_time(piece, end):
    """100 KB of anything is read in a blink."""
    text = (piece * MAX_REPLY)[: MAX_REPLY - len(end)] + end
    started = time.process_time()
    with contextlib.suppress(VerdictError):
        parse(text)
    assert time.process_time() - started < 0.25


def test_a_wide_and_deep_reply_takes_linear_time():
    """Many openings before one long unfinished list do not multiply."""
    text = '{"a":' * 400 + "[" + "1," * 48_000
    started = time.process_time()
    with pytest.raises(VerdictError):
        parse(text)
    assert time.process_time() - started < 1
