"""A tick judges what is due, once, keeps it, and publishes what follows.

One file: every case is a state of the same tick.
"""

import json
import threading
from collections import Counter
from dataclasses import dataclass, replace

import pytest

from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.errors import BadRequest, GatewayError, UpstreamRefused, UpstreamUnavailable
from ai_gateway.judge import tick
from ai_gateway.judge.weights import scores
from ai_gateway.records import Records
from tests.judge.conftest import HandClock, Model, manifest, says


def fails(error):
    """A judge that raises."""

    def say(_call):
        raise error

    return say


def test_a_tick_scores_what_was_answered_and_publishes_the_weights(world):
    """Every answer gets one row, each model the mean of its own."""
    world.answered(3, model="model-a")
    world.answered(2, model="model-b")
    judge = Model(lambda call: says(0.9 if "model-a" in prompt_of(call) else 0.4)(call))
    summary = tick.run(world.context(judge))
    assert {
        name: summary[name] for name in ("judged", "scored", "failed", "given_up", "pending")
    } == {
        "judged": 5,
        "scored": 5,
        "failed": 0,
        "given_up": 0,
        "pending": 0,
    }
    assert summary["weights"] == {"model-a": pytest.approx(0.9), "model-b": pytest.approx(0.4)}
    published = world.rows("weights")
    assert {row["weights_id"] for row in published} == {summary["weights_id"]}
    assert {row["model"]: row["samples"] for row in published} == {"model-a": 3, "model-b": 2}
    assert {row["tick_id"] for row in published} == {summary["tick_id"]}


def prompt_of(call):
    """What the judge's model is asked."""
    return call.body["messages"][0]["content"]


def test_anybody_derives_the_published_weights_from_the_scores(world):
    """The weights follow from the scores table and the manifest alone."""
    world.answered(20, model="model-a")
    world.answered(5, model="model-b")
    world = replace(world, manifest=manifest(window=10))
    summary = tick.run(
        world.context(Model(lambda call: says(len(prompt_of(call)) % 10 / 10)(call)))
    )
    found = scores(world.rows("scores"), ["model-a", "model-b"], 10)
    assert {model: score.score for model, score in found.items()} == summary["weights"]
    assert found["model-a"].samples == 10


def test_a_row_says_what_was_judged_by_whom_and_how(world):
    """A score cites its answer, its prompt, its tick and the judge call's own record."""
    [request_id] = world.answered()
    judge = Model(says(0.7, "Good."))
    summary = tick.run(world.context(judge))
    [call], [row] = judge.calls, world.rows("scores")
    received = row["judged_at"]
    assert row == {
        "schema_version": 1,
        "score_id": row["score_id"],
        "request_id": request_id,
        "requested_at": received,
        "judged_at": received,
        "tick_id": summary["tick_id"],
        "tenant": "acme",
        "model": "model-a",
        "judge": "judge",
        "prompt": "answer-quality.v1",
        "attempt": 1,
        "outcome": "scored",
        "score": 0.7,
        "reason": "Good.",
        "error": None,
        "retry_at": None,
        "selection_probability": 1.0,
        "judge_request_id": call.event.request_id,
    }
    assert summary["prompt_digest"].startswith("sha256:")


def test_judging_goes_the_one_way_to_a_model(world):
    """The call is pinned to the judge, runs no guardrail and leaves no text in its record."""
    world.answered()
    judge = Model(says(1))
    tick.run(world.context(judge))
    [call] = judge.calls
    route = call.event.route
    assert (call.surface, call.model, call.event.method) == ("judge", "judge", "TICK")
    assert (route.guardrails, route.privacy, route.routing.models) == ((), "none", ("judge",))
    assert (call.body["temperature"], call.body["max_tokens"]) == (0, 1024)
    assert call.event.caller.tenant == "acme"


def test_a_second_tick_finds_nothing_and_publishes_nothing(world):
    """Each answer is judged once; without anything new there is no publication."""
    world.answered(3)
    tick.run(world.context(Model(says(0.5))))
    judge = Model(says(0.1))
    summary = tick.run(world.context(judge))
    assert (summary["judged"], judge.calls, summary["weights_id"]) == (0, [], None)
    assert summary["weights"]["model-a"] == 0.5
    assert len(world.rows("weights")) == 2


def test_without_any_answer_every_model_keeps_its_start(world):
    """The first tick of an empty gateway judges nothing and publishes nothing."""
    summary = tick.run(world.context(Model(says(0))))
    assert summary["weights"] == {"model-a": UNJUDGED.score, "model-b": UNJUDGED.score}
    assert world.rows("weights") == []


def test_scores_that_were_never_published_are_published_by_the_next_tick(world):
    """A tick that was killed after judging leaves nothing behind."""
    world.answered(2)
    dead = Dies(world.records)
    with pytest.raises(SystemExit):
        tick.run(world.context(Model(says(0.3)), records=dead))
    assert (len(world.rows("scores")), world.rows("weights")) == (2, [])
    summary = tick.run(world.context(Model(says(0.9))))
    assert (summary["judged"], summary["weights"]["model-a"]) == (0, 0.3)
    assert summary["weights_id"]


@dataclass
class Dies:
    """Records whose process ends before it publishes."""

    real: object

    def __getattr__(self, name):
        return getattr(self.real, name)

    def extend(self, _table, _rows):
        raise SystemExit


def test_failures_are_tried_again_with_doubling_waits_and_given_up(world):
    """A failed call is a row with its error and its time; only then it is due again."""
    world = replace(world, manifest=manifest(attempts=3, backoff="10s"))
    world.answered()
    judge = Model(fails(UpstreamUnavailable("The model judge is away.")))
    found = []
    for _ in range(60):
        summary = tick.run(world.context(judge))
        found.append((summary["failed"], summary["given_up"], summary["pending"]))
        world.clock.sleep(1)
    assert [found.index(each) for each in ((1, 0, 1), (0, 1, 0))] == [0, 30]
    assert Counter(found) == {(1, 0, 1): 2, (0, 0, 1): 28, (0, 1, 0): 1, (0, 0, 0): 29}
    rows = sorted(world.rows("scores"), key=lambda row: row["attempt"])
    assert [row["outcome"] for row in rows] == ["failed", "failed", "given_up"]
    waits = [row["retry_at"] and (row["retry_at"] - row["judged_at"]) / 1e6 for row in rows]
    assert waits == [10, 20, None]
    assert {(row["error"], row["score"]) for row in rows} == {("upstream_unavailable", None)}
    assert rows[0]["reason"] == "The model judge is away."


def test_a_wait_is_an_hour_at_most(world):
    """However often an answer failed, it is tried again within the hour."""
    world = replace(world, manifest=manifest(attempts=100, backoff="1h"))
    world.answered()
    for _ in range(3):
        tick.run(world.context(Model(says(2))))
        world.clock.sleep(3600)
    waits = {row["retry_at"] - row["judged_at"] for row in world.rows("scores")}
    assert waits == {3_600_000_000}


@pytest.mark.parametrize("text", ["8/10", '{"score": 8, "reason": "Good."}', ""])
def test_a_reply_without_a_verdict_is_a_failure_and_no_score(world, text):
    """Nothing is made up for it: the model keeps its start."""
    world.answered()
    summary = tick.run(world.context(Model(lambda _call: text)))
    assert (summary["failed"], summary["weights"]["model-a"]) == (1, 1.0)
    [row] = world.rows("scores")
    assert (row["error"], row["score"]) == ("invalid_verdict", None)
    assert row["reason"].startswith("the ")


def test_a_failed_answer_is_scored_when_the_judge_is_back(world):
    """A later attempt's verdict counts like a first one's."""
    world.answered()
    tick.run(world.context(Model(says(-1))))
    world.clock.sleep(31)
    summary = tick.run(world.context(Model(says(0.6))))
    assert (summary["scored"], summary["pending"], summary["weights"]["model-a"]) == (1, 0, 0.6)


def test_more_than_a_batch_is_sampled_and_says_with_what_probability(world):
    """Each answer has the same chance, which its row holds; the rest stays pending."""
    world = replace(world, manifest=manifest(batch=4))
    world.answered(10)
    summary = tick.run(world.context(Model(says(1))))
    assert (summary["judged"], summary["pending"]) == (4, 6)
    assert {row["selection_probability"] for row in world.rows("scores")} == {0.4}


def test_private_answers_are_counted_and_not_read(world):
    """What the judge may not read it skips."""
    world.answered(2, privacy="none", input=None, output=None)
    world.answered(1)
    summary = tick.run(world.context(Model(says(1))))
    assert (summary["judged"], summary["skipped_private"]) == (1, 2)


def test_the_judges_own_calls_are_not_judged(world):
    """Nor is what was refused or failed."""
    world.answered(1, surface="judge")
    world.answered(1, status=403, output=None)
    assert tick.run(world.context(Model(says(1))))["judged"] == 0


def test_a_judge_that_is_away_does_not_use_up_every_answers_attempts(world):
    """After a row of calls without a reply the rest of the batch waits, untouched."""
    world.answered(50)
    summary = tick.run(world.context(Model(fails(UpstreamUnavailable("Away.")))))
    assert 8 <= summary["judged"] < 8 + 2 * 4
    assert summary["pending"] == 50


def test_a_judge_that_refuses_some_answers_is_not_away(world):
    """One answer's own 4xx says nothing of the next answer."""
    world.answered(50)
    judge = Model(fails(UpstreamRefused("The context is too long.", 400)))
    assert tick.run(world.context(judge))["judged"] == 50


def test_at_most_so_many_judgings_run_at_once(world):
    """The pool is as wide as the manifest says, and used."""
    barrier = threading.Barrier(4, timeout=10)
    judge = Model(lambda call: barrier.wait() < 9 and says(1)(call))
    world.answered(12)
    before = threading.active_count()
    assert tick.run(world.context(judge))["scored"] == 12
    assert threading.active_count() <= before


def test_a_seeded_source_gives_the_same_calls_whatever_order_they_end_in(world):
    """Recorded exchanges replay: the nonce comes from the Context's random source."""
    world.answered(8)
    asked = []
    for _ in range(2):
        judge = Model(fails(UpstreamRefused("No.", 400)))
        world.random.seed(3)
        tick.run(world.context(judge))
        asked.append(sorted(prompt_of(call) for call in judge.calls))
        world.clock.sleep(60)
    assert asked[0] == asked[1]


def test_progress_sees_each_judging(world):
    """A terminal's bar is told the total, and is advanced as verdicts arrive."""
    seen = []

    def progress(items, *, total):
        for item in items:
            seen.append(total)
            yield item

    world.answered(3)
    tick.run(world.context(Model(says(1)), progress=progress))
    assert seen == [3, 3, 3]


def test_without_a_judge_the_error_says_what_is_missing(world):
    """A bundle without a judge has no tick."""
    world = replace(world, manifest=world.manifest.model_copy(update={"judge": None}))
    with pytest.raises(BadRequest, match="`judge:`"):
        tick.run(world.context(Model(says(1))))


def test_an_unknown_prompt_is_named(world):
    """A bundle that was not checked fails with the prompt's name."""
    world = replace(world, manifest=manifest(prompt="other.v1"))
    with pytest.raises(GatewayError, match=r"other\.v1"):
        tick.run(world.context(Model(says(1))))


def test_a_tick_that_does_not_get_the_lease_does_nothing(world):
    """Another holds it: nothing is judged, and the summary says so."""
    world.answered(2)
    judge = Model(says(1))
    with world.records.lease(tick.LEASE, "another", 60.0):
        summary = tick.run(world.context(judge))
    assert (summary["held"], summary["judged"], judge.calls) == (True, 0, [])
    assert tick.run(world.context(judge))["scored"] == 2


@dataclass
class Leased:
    """Records with a lease that is renewed so often."""

    real: object
    renewals: int
    renewed: int = 0

    def __getattr__(self, name):
        return getattr(self.real, name)

    def lease(self, *_):
        return self

    def renew(self):
        self.renewed += 1
        return self.renewed <= self.renewals

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_the_lease_is_renewed_while_judging_takes_long(world):
    """A third of its time is never exceeded by much."""
    world.answered(20)
    records = Leased(world.records, renewals=99)
    tick.run(world.context(Model(slow(world)), records=records))
    assert records.renewed > 2


def slow(world):
    """A judge that takes ten seconds of the test's clock."""

    def say(call):
        world.clock.sleep(10)
        return says(1)(call)

    return say


def test_a_tick_that_loses_its_lease_stops_and_publishes_nothing(world):
    """Another tick goes on from what this one kept."""
    world = replace(world, manifest=manifest(concurrency=1))
    world.answered(20)
    summary = tick.run(world.context(Model(slow(world)), records=Leased(world.records, 1)))
    assert (summary["held"], summary["weights"], summary["scored"]) == (True, {}, 4)
    assert world.rows("weights") == []


def test_two_ticks_at_once_judge_every_answer_once(tmp_path, world):
    """With a real lease and real stores, whoever comes second gives way or finds nothing left."""
    world.answered(30)
    judge = Model(says(0.5))
    start = threading.Barrier(2)
    summaries = []

    def one(name):
        wal = tmp_path / f"wal-{name}"
        with Records.open(str(tmp_path / "data"), wal, HandClock(), background=False) as records:
            clock = HandClock(world.clock.time)
            context = replace(world, records=records, clock=clock).context(judge)
            start.wait()
            summaries.append(tick.run(context))

    threads = [threading.Thread(target=one, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(summary["judged"] for summary in summaries) == [0, 30]
    assert Counter(row["request_id"] for row in world.rows("scores")).most_common(1)[0][1] == 1
    assert len(judge.calls) == 30


def test_a_model_that_only_the_judge_serves_is_not_weighed_unless_it_is_routed_to(world):
    """The judge's own model has a score only where a route may choose it."""
    assert "judge" not in tick.run(world.context(Model(says(1))))["weights"]
    route = {"path": "/ask", "routing": {"models": ["model-a", "judge"]}}
    bundle = {**json.loads(world.manifest.model_dump_json(by_alias=True)), "routes": [route]}
    world = replace(world, manifest=type(world.manifest).model_validate(bundle))
    world.answered(1, model="judge")
    assert tick.run(world.context(Model(says(0.2))))["weights"]["judge"] == 0.2


def test_a_window_that_reaches_far_back_is_still_filled(world):
    """Scores older than answers are judged still count while there are too few newer ones."""
    world.answered(2)
    tick.run(world.context(Model(says(0.0))))
    world.clock.sleep(30 * 86400)
    world.answered(2)
    assert tick.run(world.context(Model(says(1.0))))["weights"]["model-a"] == 0.5
    small = replace(world, manifest=manifest(window=2))
    assert tick.run(small.context(Model(says(1.0))))["weights"]["model-a"] == 1.0


def test_a_new_prompt_judges_anew_and_old_scores_do_not_mix_in(world, tmp_path):
    """Scores of two prompts do not compare, so that the weights are of the current one alone."""
    world.answered(2)
    tick.run(world.context(Model(says(0.1))))
    context = world.context(Model(says(0.8)))
    renamed = replace(context.prompts["answer-quality.v1"], name="answer-quality.v2")
    context = replace(
        context,
        prompts={"answer-quality.v2": renamed},
        manifest=manifest(prompt="answer-quality.v2"),
    )
    summary = tick.run(context)
    assert (summary["judged"], summary["weights"]["model-a"]) == (2, 0.8)
