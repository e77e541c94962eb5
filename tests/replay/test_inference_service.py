"""The gateway in front of an Inference Service, as one was recorded."""

import pytest

from ai_gateway import jobs
from ai_gateway.demo import QUESTIONS

pytestmark = pytest.mark.vcr


@pytest.mark.parametrize("model", ["model-a", "model-b"])
def test_a_named_model_answers(gateway, model) -> None:
    """The endpoint's own shape becomes one answer, with the tokens that it counted."""
    reply = gateway.ask("What is a Finite State Machine?", model_name=model)
    assert (reply.status_code, reply.json["model"]) == (200, model)
    assert reply.json["output"]
    (row,) = gateway.rows()
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0


def test_the_six_questions_get_their_answers(gateway) -> None:
    """Five of the original test script's questions are answered; the sixth reaches no model."""
    replies = [gateway.ask(question) for question in QUESTIONS]
    assert [reply.status_code for reply in replies] == [200] * 5 + [403]
    assert replies[5].json["error"]["code"] == "policy_violation"


def test_the_judge_scores_what_was_answered(gateway) -> None:
    """Answers are judged by the recorded judge, and the scores are published."""
    for model in ("model-a", "model-b"):
        gateway.ask("What is a Markov Decision Process?", model_name=model)
    gateway.service.records.flush()
    (job,) = (job for job in gateway.snapshot.bundle.manifest.jobs if job.name == "judge-tick")
    code, reply = jobs.tick(gateway.service, gateway.snapshot, job)
    assert code == jobs.DONE
    assert (reply.body["scored"], reply.body["failed"]) == (2, 0)
    gateway.service.weights.refresh()
    scores = gateway.service.weights.current.scores
    assert all(0 <= score.score <= 1 and score.samples == 1 for score in scores.values())
