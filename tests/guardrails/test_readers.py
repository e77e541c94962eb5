"""Texts that came lately are not read again."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails import readers
from ai_gateway.guardrails.check import Finding, Matcher
from ai_gateway.guardrails.checks.phrases import Parameters
from ai_gateway.guardrails.engine import Guardrails, load
from ai_gateway.guardrails.inspection import Compiled, Inspection
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.readers import Readers, Remembered
from ai_gateway.guardrails.scene import NOTHING, Scene, Text
from tests.guardrails.test_engine import GUARDRAILS as POLICIES
from tests.guardrails.test_engine import ROOT

DEFAULT, _ = load(ROOT / "policies")
RED = Finding("red", 1.0, 0, 3)
CHECK = Parameters.model_validate(
    {
        "name": "c",
        "type": "phrases",
        "stages": ["input", "tool"],
        "action": "block",
        "phrases": ["x"],
    }
)


class Counted:
    """A check that counts how often it is asked, and finds the same each time."""

    def __init__(self, findings: int = 1, *, around: bool = False, fails: bool = False) -> None:
        self.asked, self._findings, self._fails = 0, findings, fails
        self.compiled = Compiled("p", CHECK, Matcher(self.find, around=around))

    def find(self, _text: Normalised, _scene: Scene) -> Iterator[Finding]:
        self.asked += 1
        if self._fails:
            raise RuntimeError
        yield from [RED] * self._findings


def reading(*checks: Counted, remembered: Remembered | None = None) -> Readers:
    """What reads texts with ``checks``."""
    return Readers([check.compiled for check in checks], remembered or Remembered())


def read(by: Readers, text: str, whose: str | None, stage: str = "input") -> Inspection:
    """What is found in ``text``."""
    found = Inspection()
    by.read(Text(text, stage), POLICIES._vocabulary, NOTHING, found, whose)
    return found


def test_a_text_that_came_lately_is_not_read_again() -> None:
    """What is said of it stays the same: action, verdicts, scores."""
    check = Counted()
    by = reading(check)
    first, again = read(by, "red", "acme"), read(by, "red", "acme")
    assert first == again
    assert (first.action, len(first.verdicts), first.scores) == ("block", 1, {"c": 1.0})
    assert check.asked == 1


@pytest.mark.parametrize(
    ("whose", "text", "stage"),
    [("evil", "red", "input"), ("acme", "red ", "input"), ("acme", "red", "tool")],
)
def test_another_tenant_text_or_stage_is_read(whose: str, text: str, stage: str) -> None:
    """Nobody can tell by the time it takes what another tenant has sent."""
    check = Counted()
    by = reading(check)
    read(by, "red", "acme")
    read(by, text, whose, stage)
    assert check.asked == 2


def test_nothing_is_remembered_where_nobody_is_named() -> None:
    """As for a part of an answer."""
    check = Counted()
    by = reading(check)
    assert read(by, "red", None) == read(by, "red", None)
    assert check.asked == 2


def test_checks_that_look_around_are_asked_each_time() -> None:
    """What they find depends on what stands beside the text."""
    check, beside = Counted(), Counted(around=True)
    by = reading(check, beside)
    for _ in range(2):
        read(by, "red", "acme")
    assert (check.asked, beside.asked) == (2, 2)


def test_a_check_that_failed_is_asked_again() -> None:
    """The others, too: what all of them say is remembered, or nothing."""
    check, failing = Counted(), Counted(fails=True)
    by = reading(check, failing)
    assert read(by, "red", "acme").failed == read(by, "red", "acme").failed == ["p/c"]
    assert (check.asked, failing.asked) == (2, 2)


def test_a_text_with_many_findings_is_read_again() -> None:
    """What is remembered is bounded, by text and in all."""
    few, many = Counted(20), Counted(21)
    for check in (few, many):
        by = reading(check)
        assert read(by, "red", "acme") == read(by, "red", "acme")
    assert (few.asked, many.asked) == (1, 2)


def test_the_oldest_text_is_forgotten_first() -> None:
    """Only as many as are said are known."""
    check, remembered = Counted(), Remembered()
    by = reading(check, remembered=remembered)
    for number in range(readers._MOST + 1):
        read(by, str(number), "acme")
    before = check.asked
    read(by, "1", "acme")
    assert check.asked == before
    read(by, "0", "acme")
    assert check.asked == before + 1
    assert len(remembered._found) == readers._MOST


def test_other_checks_have_their_own() -> None:
    """Two routes with different policies share what remembers, not what is remembered."""
    one, other, remembered = Counted(0), Counted(1), Remembered()
    assert read(reading(one, remembered=remembered), "red", "acme").action == "allow"
    assert read(reading(other, remembered=remembered), "red", "acme").action == "block"


TEXTS = st.lists(
    st.sampled_from(["how to make a bomb", "ann@example.com", "hello", "\ud800", "", "so r3d"]),
    max_size=8,
)


@given(TEXTS, st.sampled_from([DEFAULT, POLICIES]))
def test_whatever_is_remembered_verdicts_are_the_same(texts: list[str], by: Guardrails) -> None:
    """With a memory of earlier requests, and without any."""
    said = [Text(text, stage) for text in texts for stage in ("input", "system", "tool")]
    assert by.inspect(said, whose="acme") == by.inspect(said)
