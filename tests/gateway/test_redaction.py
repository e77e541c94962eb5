"""A policy that redacts: no model and no record sees it, and the caller gets his own words back."""

import io
import json
import time
from urllib.parse import quote

import pytest

from ai_gateway.answer.call import Answer
from ai_gateway.answer.record import Decision
from ai_gateway.errors import PolicyViolation
from ai_gateway.formats.chat import CHAT as CHAT_FORMAT
from ai_gateway.formats.messages import MESSAGES
from tests.answer.test_record import EVENT

CHAT = "/v1/chat/completions"
ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    CACHE
  - {path: /v1/messages, function: "functions.v1.messages:handle", errors: anthropic, auth: api-key}
  - {path: /v1/responses, function: "functions.v1.responses:handle", auth: api-key}
  - {path: /v1/completions, function: "functions.v1.completions:handle", auth: api-key}
  - {path: /v1/images/edits, function: "functions.v1.images_edits:handle", auth: api-key}
  - {path: "/v2/models/{name}/infer", function: "functions.v2.infer:handle", auth: api-key}
  - {path: /inference, function: "functions.inference:handle", auth: api-key}
"""
CODE_NAME = "Project Titan"


def policies(stages="[input, system, tool]", more=""):
    """A policy that redacts a code name in texts of ``stages``."""
    return {
        "names": f"""
version: 1
name: names
{more}
checks:
  - {{name: code-name, type: phrases, stages: {stages}, action: redact, phrases: [{CODE_NAME}]}}
"""
    }


@pytest.fixture
def gateway(start):
    """What callers say is redacted."""
    return start(ROUTES.replace("CACHE", ""), policies=policies())


@pytest.fixture
def answers(start):
    """What models say is redacted."""
    return start(ROUTES.replace("CACHE", ""), policies=policies("[output]"))


def post(gateway, path, **body):
    """One request with the administrator's key."""
    body = {"model": "model-a", **body}
    return gateway.client.post(path, json=body, headers=gateway.headers)


def told(text):
    """Messages of one user."""
    return [{"role": "user", "content": text}]


def sent(gateway) -> str:
    """The last body that a model got."""
    return json.dumps(gateway.simulator.requests[-1].body)


def held(row) -> str:
    """What a row holds beside the verdicts, whose rule is the operator's own phrase."""
    return str({**row, "verdicts": None})


ASKED = f"What is {CODE_NAME}?"
#: What the stand-in says, who got a placeholder.
SAID = "say=You asked of [CODE_NAME_1], I think"
TOLD = f"You asked of {CODE_NAME}, I think"


@pytest.fixture(autouse=True)
def echo(simulator):
    """The model repeats the placeholder that it got."""
    simulator.faults["model-a"] = SAID


def test_the_model_sees_a_placeholder_and_the_caller_his_own_words(gateway) -> None:
    """In the answer the placeholder is what it stands for again."""
    reply = post(gateway, CHAT, messages=told(ASKED))
    assert reply.json["choices"][0]["message"]["content"] == TOLD
    assert CODE_NAME not in sent(gateway)
    assert "[CODE_NAME_1]" in sent(gateway)


def test_no_record_holds_it(gateway) -> None:
    """Input, request and output hold the placeholder, and the verdict its place."""
    post(gateway, CHAT, messages=told(ASKED))
    (row,) = gateway.rows()
    assert CODE_NAME not in held(row)
    assert all("[CODE_NAME_1]" in row[name] for name in ("input", "request", "output"))
    assert [(v["action"], v["start"]) for v in row["verdicts"]] == [("redact", 8)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/inference"])
def test_every_surface_gives_the_words_back(gateway, path, stream) -> None:
    """Whole and streamed, in each API's own shape; no placeholder is left."""
    body = {
        "/v1/messages": {"max_tokens": 100, "messages": told(ASKED), "stream": stream},
        "/v1/responses": {"input": ASKED, "stream": stream},
        "/inference": {"inputs": ASKED, "model_name": "model-a"},
    }[path]
    if path == "/inference":
        reply = gateway.client.post(path, json=body, headers=gateway.headers)
    else:
        reply = post(gateway, path, **body)
    assert reply.status_code == 200
    assert "[CODE_NAME" not in reply.text
    assert "Titan" in reply.text
    assert CODE_NAME not in sent(gateway)


def test_every_text_of_a_request_is_redacted(gateway) -> None:
    """System prompt, parts, tool results, arguments of earlier calls: wherever it stands."""
    arguments = json.dumps({"of": CODE_NAME, "n": 1})
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "system", "content": f"Keep {CODE_NAME} secret."},
        {"role": "user", "content": [{"type": "text", "text": f"What is {CODE_NAME}?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": f"{CODE_NAME} is a project."},
    ]
    reply = post(gateway, CHAT, messages=messages)
    assert reply.status_code == 200
    assert CODE_NAME not in sent(gateway)
    seen = json.loads(sent(gateway))["messages"]
    assert json.loads(seen[2]["tool_calls"][0]["function"]["arguments"])["of"] == "[CODE_NAME_1]"
    assert CODE_NAME not in held(gateway.rows()[0])


def test_what_cannot_be_redacted_is_refused(gateway) -> None:
    """A name that is spread over two parts has no place of its own: nothing is let through."""
    parts = [{"type": "text", "text": "Project Ti"}, {"type": "text", "text": "tan?"}]
    reply = post(gateway, CHAT, messages=[{"role": "user", "content": parts}])
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert not gateway.simulator.requests
    (row,) = gateway.rows()
    assert row["selection"] == "guardrail"
    assert "tan?" not in held(row)


def test_escapes_hide_nothing_from_the_record(gateway) -> None:
    """What stands in arguments as an escape has no place: refused, and not recorded."""
    function = {"name": "f", "arguments": '{"of": "Project\\nTitan"}'}
    calls = [{"id": "c1", "type": "function", "function": function}]
    messages = [
        *told("Hi"),
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ]
    assert post(gateway, CHAT, messages=messages).status_code == 403
    assert "Titan" not in held(gateway.rows()[0])


@pytest.mark.parametrize(
    "more",
    [
        {"user": CODE_NAME},
        {"metadata": {"of": CODE_NAME}},
        {"stop": [CODE_NAME]},
        {"safety_identifier": CODE_NAME},
        {"prompt_cache_key": CODE_NAME},
        {"service_tier": CODE_NAME},
        {"logit_bias": {"x": CODE_NAME}},
        {"model": CODE_NAME},
    ],
)
def test_what_goes_with_a_request_is_redacted_too(gateway, more) -> None:
    """Whom it is of, where it stops: nobody judges it, and yet it would go out and be recorded."""
    post(gateway, CHAT, messages=told("Hi"), **more)
    assert CODE_NAME not in str(gateway.simulator.requests)
    assert CODE_NAME not in held(gateway.rows()[0])


def test_names_of_properties_are_not_read(gateway) -> None:
    """A form of the answer may call them what it wants, as a tool may."""
    schema = {"type": "object", "properties": {CODE_NAME: {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
    reply = post(gateway, CHAT, messages=told(ASKED), response_format=form)
    assert reply.status_code == 200


@pytest.mark.parametrize("name", [f"{CODE_NAME}.png", f"Notes on {CODE_NAME}.png"])
def test_names_of_files_are_redacted(gateway, name) -> None:
    """In the form that a model gets, and in the description that is recorded."""
    fields = {"model": "model-a", "prompt": "a cat", "image": (io.BytesIO(b"x"), name)}
    gateway.client.post(
        "/v1/images/edits", data=fields, headers=gateway.headers, content_type="multipart/form-data"
    )
    assert "[CODE_NAME_1]" in str(gateway.simulator.requests)
    assert CODE_NAME not in str(gateway.simulator.requests)
    assert CODE_NAME not in held(gateway.rows()[0])


def test_a_path_that_holds_it_is_not_recorded(gateway) -> None:
    """Where a parameter of it may be any text."""
    path = f"/v2/models/{quote(CODE_NAME)}/infer"
    gateway.client.post(path, json={"inputs": []}, headers=gateway.headers)
    (row,) = gateway.rows()
    assert row["path"] == "/v2/models/[CODE_NAME]/infer"
    assert CODE_NAME not in held(row)


PROXY = """
  - path: /up
    target: TARGET
    methods: [GET, POST]
    auth: api-key
    credentials: {token: of-the-target}
"""


@pytest.fixture
def proxy(start, simulator):
    """A target that is the stand-in's first endpoint."""
    target = f"{simulator.url}/namespaces/serving-default/endpoints/model-a/v1"
    return start(PROXY.replace("TARGET", target), policies=policies("[input, output]"))


@pytest.mark.parametrize(
    ("body", "kind", "reaches"),
    [
        ('{"messages": [{"content": "Is Project Titan"}]}', "application/json", True),
        ('{"Project Titan": 1, "messages": []}', "application/json", False),
        ('{"a": "Project Titan"}\n{"b": "Project Titan"}\n', "application/x-ndjson", True),
        ('{"a": "Project\\nTitan"}\n{"b": 1}\n', "application/x-ndjson", False),
        ("a=Project+Titan", "application/x-www-form-urlencoded", False),
        ("the Project Titan", "text/plain", True),
    ],
)
def test_a_target_sees_no_more_than_a_model(proxy, body, kind, reaches) -> None:
    """Whatever kind its body is; where nothing can be put in its place it is refused."""
    headers = {**proxy.headers, "content-type": kind}
    reply = proxy.client.post("/up/chat/completions", data=body, headers=headers)
    assert bool(proxy.simulator.requests) is reaches
    assert "Titan" not in str(proxy.simulator.requests)
    (row,) = proxy.rows()
    assert "Titan" not in held(row)
    assert ("[CODE_NAME_1]" in str(row["input"])) is reaches
    assert (reply.status_code, row["error"]) == (403, "policy_violation") or reaches


@pytest.mark.parametrize("path", ["/up/Project%20Titan", "/up/a?q=Project+Titan"])
def test_a_targets_path_cannot_be_redacted(proxy, path) -> None:
    """So it is refused, and not recorded as it came."""
    assert proxy.client.get(path, headers=proxy.headers).status_code == 403
    assert not proxy.simulator.requests
    assert "Titan" not in held(proxy.rows()[0])


def test_what_a_target_answers_is_recorded_as_it_leaves(proxy) -> None:
    """With its kind."""
    proxy.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = proxy.client.post(
        "/up/chat/completions",
        json={"messages": told("Hi"), "model": "simulated/model-a"},
        headers=proxy.headers,
    )
    assert "You asked of [CODE_NAME], I think" in reply.text
    assert CODE_NAME not in held(proxy.rows()[0])


GUARD = """
  guard:
    url: ${MODEL_B_URL}
    model_id: ${MODEL_B_ID}
    credentials: {token: "${MODEL_B_TOKEN}"}
    candidate: false
"""


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_model_that_judges_sees_a_placeholder(start, stage) -> None:
    """It is a model like any other, and the request is shown to it with the answer, too."""
    check = f"stages: [{stage}], action: block, model: guard"
    rules = policies()["names"] + f"  - {{name: safety, type: llama_guard, {check}}}\n"
    gateway = start(ROUTES.replace("CACHE", ""), policies={"names": rules}, models=GUARD)
    gateway.simulator.faults["model-b"] = "say=safe"
    assert post(gateway, CHAT, messages=told(ASKED)).status_code == 200
    assert gateway.simulator.counts["model-b"] == 1
    assert CODE_NAME not in str(gateway.simulator.requests)


def test_a_placeholder_of_the_callers_own_stays_his(gateway) -> None:
    """Numbers that stand in the request already are passed over."""
    gateway.simulator.faults["model-a"] = "say=[CODE_NAME_1] is not [CODE_NAME_2]"
    reply = post(gateway, CHAT, messages=told(f"Is [CODE_NAME_1] {CODE_NAME}?"))
    said = reply.json["choices"][0]["message"]["content"]
    assert said == f"[CODE_NAME_1] is not {CODE_NAME}"
    assert "[CODE_NAME_2]" in sent(gateway)


def test_a_cached_answer_gives_each_caller_his_own_words(start) -> None:
    """What is kept is the answer with placeholders, so that no caller gets another's words."""
    rules = policies()["names"].replace(f"[{CODE_NAME}]", f"[{CODE_NAME}, Project Dusk]")
    routes = ROUTES.replace("CACHE", "cache: {ttl: 1m, always: true}")
    gateway = start(routes, policies={"names": rules})
    first = post(gateway, CHAT, messages=told(ASKED), temperature=0)
    second = post(gateway, CHAT, messages=told("What is Project Dusk?"), temperature=0)
    assert second.headers["x-gateway-cache"] == "hit"
    assert CODE_NAME in first.text
    assert "Project Dusk" in second.text
    assert CODE_NAME not in second.text


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


def test_privacy_redacted_keeps_it_out_of_records_alone(start) -> None:
    """A policy that only observes lets all pass, and the record holds the kind."""
    text = policies()["names"].replace("action: redact", "action: redact, mode: observe")
    routes = ROUTES.replace("auth: api-key}", "auth: api-key, privacy: redacted}").replace(
        "CACHE", "privacy: redacted"
    )
    gateway = start(routes, policies={"names": text})
    gateway.simulator.faults["model-a"] = f"say={TOLD}"
    reply = post(gateway, CHAT, messages=told(ASKED))
    assert reply.json["choices"][0]["message"]["content"] == TOLD
    assert CODE_NAME in sent(gateway)
    (row,) = gateway.rows()
    assert CODE_NAME not in held(row)
    assert "[CODE_NAME]" in row["input"]
    assert json.loads(row["request"])["messages"]


def test_the_request_in_a_redacted_record_is_json(start) -> None:
    """What stands there with an escape is found, a number too, and no escape is cut in two."""
    rules = """
version: 1
name: names
checks:
  - name: card
    type: patterns
    stages: [output]
    mode: observe
    action: redact
    patterns: [{name: card, regex: '[0-9]{16}'}, {name: name, regex: 'Project\\sTitan|nAda'}]
"""
    routes = ROUTES.replace("CACHE", "privacy: redacted")
    gateway = start(routes, policies={"names": rules})
    text = "Of Project\nTitan\nAda"
    post(gateway, CHAT, messages=told(text), extra={"4111111111111111": 4111111111111111, "n": 7})
    request = json.loads(gateway.rows()[0]["request"])
    assert request["messages"][0]["content"] == "Of [CARD]\nAda"
    assert request["extra"] == {"[CARD]": "[CARD]", "n": 7}
    post(gateway, CHAT, messages=told("Hi"), model="4111111111111111")
    assert gateway.rows()[1]["model_requested"] == "[CARD]"


def test_a_redacted_record_knows_a_secret_by_its_name(start) -> None:
    """What is one because of the key that it stands under."""
    rules = (
        policies()["names"].replace(f", phrases: [{CODE_NAME}]", "").replace("phrases", "secrets")
    )
    gateway = start(ROUTES.replace("CACHE", "privacy: redacted"), policies={"names": rules})
    post(gateway, CHAT, messages=told("Hi"), extra={"password": "Tr0ub4dor&3xyz!"})
    assert json.loads(gateway.rows()[0]["request"])["extra"] == {"password": "[SECRET]"}


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_do_not_tell_what_is_redacted(answers, stream) -> None:
    """Their tokens are the very words."""
    answers.simulator.faults["model-a"] = f"say=You asked of {CODE_NAME}, I think"
    reply = post(answers, CHAT, messages=told("What?"), logprobs=True, stream=stream)
    assert "[CODE_NAME]" in reply.text
    assert "Titan" not in reply.text
