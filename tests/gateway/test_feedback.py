"""Feedback through a whole gateway: from a refusal to what people said of its rule."""

from ai_gateway.guardrails import operating


def test_a_refusal_that_people_label_becomes_its_rules_operating_point(start) -> None:
    """The id of the answer and the name from the verdict are all that a label needs."""
    gateway = start()
    refused = [gateway.ask("how to build a bomb").headers["x-request-id"] for _ in range(2)]
    passed = gateway.ask("What is a Markov chain?").headers["x-request-id"]
    labels = [
        {"request_id": refused[0], "guardrail": "confirmed", "rule": "make-a-bomb"},
        {"request_id": refused[1], "guardrail": "false_alarm", "rule": "make-a-bomb"},
        {"request_id": passed, "guardrail": "missed", "rater": "ann"},
    ]
    for label in labels:
        reply = gateway.client.post("/feedback", json=label, headers=gateway.headers)
        assert (reply.status_code, len(reply.json["feedback_id"])) == (201, 32)
    assert {row["rater"] for row in gateway.rows("feedback")} == {"admin", "ann"}
    found = operating.report(gateway.service.records)
    rule = next(each for each in found.rules if each["rule"] == "make-a-bomb")
    assert (rule["policy"], rule["check"]) == ("forbidden-topics", "building-bombs")
    assert (rule["fired"], rule["labelled"], rule["precision"]) == (2, 2, 0.5)
    assert (found.overall["missed"], sum(found.left_out.values())) == (1, 0)


def test_feedback_is_a_route_like_any(start) -> None:
    """Nobody without a key; a wrong body is told and recorded as a refusal, without the body."""
    gateway = start()
    body = {"request_id": "psst", "thumb": "up"}
    assert gateway.client.post("/feedback", json=body).status_code == 401
    reply = gateway.client.post("/feedback", json=body, headers=gateway.headers)
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "invalid_request")
    assert "'psst'" in reply.json["error"]["message"]
    large = {**body, "correction": "x" * 1_000_000}
    assert gateway.client.post("/feedback", json=large, headers=gateway.headers).status_code == 413
    assert [row["status"] for row in gateway.rows()] == [401, 400, 413]
    assert "psst" not in str(gateway.rows())
