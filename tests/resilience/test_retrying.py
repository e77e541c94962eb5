"""When the same model is asked again, and when its failure stands."""

from email.utils import formatdate
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway import errors
from ai_gateway.resilience import (
    Busy,
    CircuitOpen,
    ColdStart,
    Retries,
    Schedule,
    counts,
    kinds,
    matches,
)
from ai_gateway.resilience.retrying import retry_after
from tests.resilience.moving import MovingClock


def schedule(deadline=60.0, retries=None, cold_start=None, seed=0):
    """A schedule, and the clock that it goes by."""
    clock = MovingClock()
    return (
        Schedule(
            retries or Retries(attempts=3),
            cold_start or ColdStart(),
            clock.at + deadline,
            clock,
            Random(seed),
        ),
        clock,
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.UpstreamUnreachable(""), {"connect"}),
        (errors.UpstreamColdStart(""), {"cold-start"}),
        (errors.UpstreamTimeout(""), {"timeout"}),
        (errors.UpstreamUnavailable(""), {"503", "5xx"}),
        (errors.UpstreamError(""), {"502", "5xx"}),
        (errors.UpstreamDenied(""), {"credentials"}),
        (errors.UpstreamRateLimited(""), {"429", "4xx"}),
        (errors.UpstreamRefused("", 404), {"404", "4xx"}),
        (Busy(""), {"busy"}),
        (CircuitOpen(""), {"open"}),
        (errors.PolicyViolation(""), set()),
    ],
)
def test_every_failure_has_its_words(error, words) -> None:
    """What an operator writes under ``on`` means the same everywhere; a policy is never retried."""
    assert kinds(error) == words
    assert matches(error, ("connect", "5xx")) == bool(words & {"connect", "5xx"})


def test_what_counts_against_a_model() -> None:
    """Its own failures; not the caller's mistakes, its limits, its start or our refusals."""
    against = [errors.UpstreamUnreachable(""), errors.UpstreamTimeout(""), errors.UpstreamError("")]
    harmless = [
        errors.UpstreamColdStart(""),
        errors.UpstreamRefused("", 400),
        errors.UpstreamRateLimited(""),
        Busy(""),
        CircuitOpen(""),
        errors.BadRequest(""),
    ]
    assert [counts(error) for error in against] == [True] * 3
    assert [counts(error) for error in harmless] == [False] * 6


def test_tries_end_at_the_declared_number() -> None:
    """Three attempts are two waits, each below its doubled bound."""
    again, _ = schedule()
    waits = [again.after(errors.UpstreamUnavailable("")) for _ in range(3)]
    assert 0 <= waits[0] <= 0.25
    assert 0 <= waits[1] <= 0.5
    assert waits[2] is None


@pytest.mark.parametrize("error", [errors.UpstreamTimeout(""), errors.UpstreamError("")])
def test_what_may_have_run_is_not_repeated_unless_declared(error) -> None:
    """A POST whose answer never came could be paid for twice."""
    assert schedule()[0].after(error) is None
    repeating = Retries(attempts=3, repeat=True)
    assert schedule(retries=repeating)[0].after(error) is not None


def test_a_timeout_before_anything_was_sent_is_repeated() -> None:
    """Where the upstream says that the model cannot have seen the request."""
    error = errors.UpstreamTimeout("", may_have_run=False)
    assert schedule()[0].after(error) is not None


def test_what_is_not_named_is_not_retried() -> None:
    """A 4xx by default, a 5xx where only 429 is named."""
    assert schedule()[0].after(errors.UpstreamRefused("", 400)) is None
    only = schedule(retries=Retries(on=("429",)))[0]
    assert only.after(errors.UpstreamError("")) is None


def test_an_upstream_that_says_when_is_asked_then() -> None:
    """Not sooner; and not at all where that is past the deadline."""
    later = {"retry-after": "10"}
    assert schedule()[0].after(errors.UpstreamRateLimited("", headers=later)) == 10
    assert schedule(deadline=9)[0].after(errors.UpstreamRateLimited("", headers=later)) is None


@pytest.mark.parametrize("later", ["4102444800", "9" * 20, "9" * 400, "1, 99"])
def test_a_wait_beyond_the_deadline_is_no_wait_of_no_time(later) -> None:
    """However long it is, the model is not asked again at once."""
    error = errors.UpstreamRateLimited("", headers={"retry-after": later})
    assert schedule()[0].after(error) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1),
        ({"retry-after-ms": "0", "retry-after": "3"}, 3),
        ({"retry-after-ms": "5000", "retry-after": "3"}, 5),
        ({"retry-after": "2, 3"}, 3),
        ({"retry-after": "9999999999"}, 9_999_999_999),
        ({"retry-after": "9" * 400}, inf),
        ({"retry-after": formatdate(1_700_000_030, usegmt=True)}, 30),
        ({"retry-after": formatdate(1_600_000_000, usegmt=True)}, 0),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "Mon, 99 Jan 99999 00:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_each_form_of_retry_after_is_read(headers, seconds) -> None:
    """Seconds, milliseconds and dates, of any size; what is none of them counts as absent.

    Where two are named the longer is meant, but for seconds that are milliseconds rounded up.
    """
    assert retry_after(headers, 1_700_000_000) == seconds


def test_a_cold_start_is_waited_for_by_time() -> None:
    """More tries than are declared for failures, but no longer than declared."""
    again, clock = schedule(
        deadline=1000, retries=Retries(attempts=1), cold_start=ColdStart(every=2, at_most=60)
    )
    began, tries = clock.at, 0
    while (wait := again.after(errors.UpstreamColdStart(""))) is not None:
        assert 1 <= wait <= 2
        clock.sleep(wait)
        tries += 1
    assert tries >= 29
    assert 57 < clock.at - began <= 60


def test_a_cold_start_uses_up_no_tries() -> None:
    """Once the model is up its first failure is retried as any other."""
    again, _ = schedule(retries=Retries(attempts=2))
    assert again.after(errors.UpstreamColdStart("")) is not None
    assert again.after(errors.UpstreamUnavailable("")) is not None


@pytest.mark.parametrize(
    ("retries", "cold_start"),
    [(Retries(), ColdStart(wait=False)), (Retries(on=("5xx",)), ColdStart())],
)
def test_a_cold_start_is_not_waited_for_where_that_is_declared(retries, cold_start) -> None:
    """It fails at once, so that a fallback can answer."""
    assert (
        schedule(retries=retries, cold_start=cold_start)[0].after(errors.UpstreamColdStart(""))
        is None
    )


FAILURES = st.builds(
    lambda kind, named: kind("", headers={"retry-after": str(named)} if named else {}),
    st.sampled_from(
        [
            errors.UpstreamError,
            errors.UpstreamRateLimited,
            errors.UpstreamColdStart,
            errors.UpstreamUnavailable,
        ]
    ),
    st.none() | st.integers(0, 100),
)


@given(
    failures=st.lists(FAILURES, min_size=1, max_size=30),
    deadline=st.floats(0, 60),
    retries=st.builds(
        Retries,
        attempts=st.integers(1, 10),
        backoff=st.floats(0.001, 30),
        max_backoff=st.floats(0.001, 60),
    ),
    seed=st.integers(0, 1000),
)
def test_no_wait_reaches_the_deadline(failures, deadline, retries, seed) -> None:
    """Whatever fails in whatever order: the sum of waits stays within the deadline."""
    again, clock = schedule(deadline, retries, seed=seed)
    end = clock.at + deadline
    for error in failures:
        wait = again.after(error)
        if wait is None:
            break
        assert wait >= 0
        clock.sleep(wait)
        assert clock.at < end
