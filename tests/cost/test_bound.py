"""What requests cost is on their records, and can be worked out again from them."""

import json

import pytest

from ai_gateway.cost import reconcile
from ai_gateway.cost.estimate import complete
from ai_gateway.formats import Reading, Usage
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.embeddings import EMBEDDINGS
from tests.gateway.test_surfaces import BODIES

MODEL = """
  priced:
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    price: {input: 1, cached: 0.25, output: 4, reasoning: 8}
"""
SURFACES = ("messages", "responses", "completions", "embeddings", "rerank", "ranking")
ROUTES = "".join(
    f"""
  - {{path: /v1/{path}, function: "functions.v1.{path.replace("/", "_")}:handle", auth: api-key}}
"""
    for path in ("chat/completions", *SURFACES)
)


@pytest.fixture
def gateway(start):
    """Every surface, a model with a price for each kind of token, and one without any."""
    return start(ROUTES, models=MODEL)


def chat(gateway, text="What is GRPO?", headers=None, **body):
    """A question of the priced model."""
    body = {"model": "priced", "messages": [{"role": "user", "content": text}], **body}
    sent = {**gateway.headers, **(headers or {})}
    return gateway.client.post("/v1/chat/completions", json=body, headers=sent)


@pytest.mark.parametrize("stream", [False, True])
def test_cached_and_reasoning_tokens_have_their_own_price(gateway, stream) -> None:
    """On streams too; the price that the cost follows from stands beside it."""
    gateway.simulator.faults["model-a"] = "reasoning=reasoning_content"
    before = [("user", "What is GRPO? " * 50), ("assistant", "A method.")]
    told = [{"role": role, "content": text} for role, text in (*before, ("user", "What else?"))]
    chat(gateway, messages=told, stream=stream).get_data()
    row = gateway.rows()[-1]
    assert row["cached_tokens"] > 0
    assert row["reasoning_tokens"] > 0
    fresh = row["input_tokens"] - row["cached_tokens"]
    answer = row["output_tokens"] - row["reasoning_tokens"]
    money = fresh + 0.25 * row["cached_tokens"] + 4 * answer + 8 * row["reasoning_tokens"]
    assert row["cost"] == pytest.approx(money / 1e6)
    assert json.loads(row["price"])["reasoning"] == "8.0"


def test_a_stream_that_broke_is_charged_by_an_estimate(gateway) -> None:
    """No usage came: what was said by then is counted, and marked as a guess."""
    gateway.simulator.faults["model-a"] = "late-error=5"
    chat(gateway, stream=True).get_data()
    row = gateway.rows()[-1]
    assert json.loads(row["usage"])["estimated"] is True
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    assert row["cost"] == (row["input_tokens"] + 4 * row["output_tokens"]) / 1e6


def test_a_caller_who_left_is_charged_by_an_estimate(gateway) -> None:
    """For what had been said by then."""
    reply = chat(gateway, stream=True)
    chunks = iter(reply.response)
    for _ in range(4):
        next(chunks)
    reply.close()
    row = gateway.rows()[-1]
    assert row["error"] == "client_closed_request"
    assert json.loads(row["usage"])["estimated"] is True
    assert row["cost"] > 0


def test_a_stream_that_was_read_to_its_usage_is_no_estimate(gateway) -> None:
    """The caller left between the last count and the end."""
    reading = Reading("word " * 40, "stop", Usage(10, 5, raw={"prompt_tokens": 10}))
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    assert complete(CHAT, body, reading, broken=True) is reading.usage


def test_what_is_not_generated_is_not_estimated() -> None:
    """Vectors have no output that could be counted."""
    reading = Reading(usage=Usage(10, raw={"prompt_tokens": 10}))
    assert complete(EMBEDDINGS, {"input": "Hi"}, reading) is reading.usage


def test_a_message_in_parts_is_estimated_once() -> None:
    """The guardrails read its parts, and all of them as one."""
    parts = [{"type": "text", "text": "word " * 20}, {"type": "text", "text": "more " * 20}]
    one = {"messages": [{"role": "user", "content": parts}, {"role": "user", "content": "Hi"}]}
    two = {"messages": [{"role": "user", "content": [part]} for part in parts]}
    two["messages"].append({"role": "user", "content": "Hi"})
    reading = Reading("Paris", "stop")
    assert complete(CHAT, one, reading) == complete(CHAT, two, reading)


def test_a_model_without_a_price_costs_nothing_known(gateway) -> None:
    """Null, never 0."""
    chat(gateway, model="model-b")
    row = gateway.rows()[-1]
    assert row["input_tokens"] > 0
    assert (row["cost"], row["price"]) == (None, None)


def test_every_recorded_cost_can_be_worked_out_again(gateway, capsys) -> None:
    """The command says so of every surface, whole and streamed, and of what broke."""
    for path in SURFACES:
        for stream in (
            (False, True) if path in ("messages", "responses", "completions") else (None,)
        ):
            body = {"model": "priced", **BODIES[path]("What is GRPO?")}
            body |= {} if stream is None else {"stream": stream}
            gateway.client.post(f"/v1/{path}", json=body, headers=gateway.headers).get_data()
    chat(gateway, stream=True).close()
    for fault in ("late-error=3", "cut=mid-body", "status=500"):
        for stream in (False, True):
            chat(gateway, stream=stream, headers={"x-simulate": fault}).get_data()
    gateway.service.records.flush()
    settings = gateway.service.settings
    assert reconcile.main([], settings) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["drifting"] == 0
    assert report["checked"] >= 8
    assert report["estimated"] >= 1
    assert report["models"]["priced"]["recorded"] > 0

    row = gateway.rows()[-1]
    gateway.service.records.append(
        "requests", {**row, "request_id": "f" * 32, "cost": 1.0, "served": "priced"}
    )
    gateway.service.records.flush()
    assert reconcile.main([], settings) == 1
    assert json.loads(capsys.readouterr().out)["drifts"][0]["request_id"] == "f" * 32
