"""A policy that redacts answers: what leaves has a kind in the place of what was found."""

import io
import json
import time

import pytest

from ai_gateway.answer.call import Answer
from ai_gateway.answer.record import Decision
from ai_gateway.errors import PolicyViolation
from ai_gateway.formats.chat import CHAT as CHAT_FORMAT
from ai_gateway.formats.messages import MESSAGES
from tests.answer.test_record import EVENT
from tests.gateway.redaction.conftest import CHAT, CODE_NAME, ROUTES, held, policies, post, told


def test_an_answer_is_redacted_for_good(answers) -> None:
    """What a model says of it leaves, and is recorded, as its kind."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = post(answers, CHAT, messages=told("What?"))
    assert reply.json["choices"][0]["message"]["content"] == "You asked of [CODE_NAME], I think"
    (row,) = answers.rows()
    assert (row["verdicts"][0]["action"], row["status"]) == ("redact", 200)
    assert row["output"] == "You asked of [CODE_NAME], I think"


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses", "/v1/completions"])
def test_a_streamed_answer_is_recorded_as_it_leaves(answers, path) -> None:
    """In every API, and where the caller leaves too."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think {'so ' * 200}"
    body = {
        "/v1/responses": {"input": "What?"},
        "/v1/completions": {"prompt": "What?", "max_tokens": 900},
    }.get(path, {"messages": told("What?"), "max_tokens": 900})
    assert CODE_NAME not in post(answers, path, **body, stream=True).text
    leaving = post(answers, path, **body, stream=True)
    next(iter(leaving.response))
    leaving.close()
    whole, part = answers.rows()
    assert "[CODE_NAME]" in whole["output"]
    assert CODE_NAME not in held(whole) + held(part)


def test_the_first_surface_redacts_answers_too(answers) -> None:
    """Its answer is the text alone."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    assert answers.ask("What?", model_name="model-a").json["output"] == (
        "You asked of [CODE_NAME], I think"
    )


def test_an_answer_that_is_no_json_is_redacted(start, simulator) -> None:
    """What was heard in a recording, as a text; the stand-in hears the file's name."""
    url = simulator.url + "/namespaces/serving-default/endpoints/media/v1"
    media = f"  media: {{url: {url}, model_id: simulated/media, credentials: {{token: t}}}}\n"
    function = "functions.v1.audio_transcriptions:handle"
    route = f'\n  - {{path: /heard, function: "{function}", auth: api-key}}\n'
    gateway = start(route, policies=policies("[output]"), models=media)
    file = io.BytesIO(b"x"), f"{CODE_NAME}.wav"
    reply = gateway.client.post(
        "/heard",
        data={"model": "media", "file": file, "response_format": "text"},
        headers=gateway.headers,
        content_type="multipart/form-data",
    )
    assert reply.text == "The file [CODE_NAME].wav has 1 bytes."
    assert gateway.rows()[0]["output"] == reply.text


def test_what_a_tool_is_called_with_is_redacted_under_any_name(answers) -> None:
    """A property of its input may be called ``id`` or ``user``."""
    put = dict.fromkeys(("id", "role", "user", "data"), CODE_NAME)
    block = {"type": "tool_use", "id": "c1", "name": "f", "input": put}
    body = {"content": [block], "stop_reason": "tool_use"}
    guard, decision = answers.snapshot.gateway._guard, Decision(EVENT)
    answer = guard.answer(Answer("m", MESSAGES.read(body).text, body), MESSAGES, decision)
    assert set(answer.body["content"][0]["input"].values()) == {"[CODE_NAME]"}
    assert CODE_NAME not in str(decision.output)


def test_an_escape_in_arguments_hides_nothing(answers) -> None:
    """What they say once they are read; where it stands nothing can be put in its place."""
    message = {"tool_calls": [{"function": {"arguments": '{"of": "Project\\nTitan"}'}}]}
    body = {"choices": [{"message": message}]}
    guard, decision = answers.snapshot.gateway._guard, Decision(EVENT)
    with pytest.raises(PolicyViolation):
        guard.answer(Answer("m", CHAT_FORMAT.read(body).text, body), CHAT_FORMAT, decision)
    assert decision.output is None


def test_a_shadows_answer_is_recorded_without_it(start) -> None:
    """Nobody guards it, since nobody gets it; its row is a record all the same."""
    more = "routing: {models: [model-a]}\n    shadow: {model: model-b}"
    routes = ROUTES.replace("CACHE", more)
    gateway = start(routes, policies=policies("[output]"))
    gateway.simulator.faults["model-b"] = f"say=You asked of {CODE_NAME}, I think"
    post(gateway, CHAT, messages=told("What?"))
    while gateway.service.aside.running:
        time.sleep(0.01)
    row = next(row for row in gateway.rows() if row["surface"] == "shadow")
    assert row["output"] == "You asked of [CODE_NAME], I think"


def test_what_is_longer_than_a_window_is_refused_at_the_end(start) -> None:
    """A key that is found once it is there in full: a stream cannot redact it, and says so."""
    rules = policies("[output]")["names"].replace(
        f"type: phrases, stages: [output], action: redact, phrases: [{CODE_NAME}]",
        "type: patterns, stages: [output], action: redact,"
        " patterns: [{name: key, regex: 'BEGIN[a-z ]*END'}]",
    )
    gateway = start(ROUTES.replace("CACHE", ""), policies={"names": rules})
    gateway.simulator.faults["model-a"] = f"say=BEGIN {'abcd ' * 150}END and {'more ' * 50}"
    reply = post(gateway, CHAT, messages=told("What?"), stream=True)
    assert "policy_violation" in reply.text
    (row,) = gateway.rows()
    assert (row["status"], row["leaked"] > 0) == (403, True)
    assert "abcd" not in row["output"]
    whole = post(gateway, CHAT, messages=told("What?"))
    assert whole.json["choices"][0]["message"]["content"].startswith("[CODE_NAME] and more")


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
def test_a_streamed_answer_is_redacted_before_it_leaves(answers, path) -> None:
    """In the deltas, and in the events that repeat all of it."""
    padding = "and so on, " * 30
    answers.simulator.faults["model-a"] = f"say={padding}{CODE_NAME} {padding}"
    body: dict[str, object] = (
        {"input": "What?"} if path == "/v1/responses" else {"messages": told("What?")}
    )
    if path == "/v1/messages":
        body["max_tokens"] = 1000
    reply = post(answers, path, **body, stream=True)
    assert reply.status_code == 200
    assert "Titan" not in reply.text
    events = [json.loads(line[6:]) for line in reply.text.split("\n") if line.startswith("data: {")]
    assert "".join(deltas(events)).strip() == f"{padding}[CODE_NAME] {padding}".strip()


def deltas(events):
    """The texts of a stream's deltas in any API."""
    for event in events:
        delta = event.get("delta")
        if isinstance(delta, str):
            yield delta
        elif isinstance(delta, dict):
            yield delta.get("text") or ""
        for choice in event.get("choices") or ():
            yield choice["delta"].get("content") or ""


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_do_not_tell_what_is_redacted(answers, stream) -> None:
    """Their tokens are the very words."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = post(answers, CHAT, messages=told("What?"), logprobs=True, stream=stream)
    assert "[CODE_NAME]" in reply.text
    assert "Titan" not in reply.text
