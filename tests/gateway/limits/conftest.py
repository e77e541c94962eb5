"""A gateway with limits and budgets, a dear model and a cheap one."""

import pytest

ROUTES = """
  - path: /v1/chat/completions
    name: chat
    function: functions.v1.chat_completions:handle
    auth: [api-key]
    routing: {{{chosen}}}
    {more}
  - path: /v1/messages
    name: messages
    function: functions.v1.messages:handle
    auth: [api-key]
    errors: anthropic
    routing: {{models: claude}}
  - path: /v1/messages/count_tokens
    name: count
    function: functions.v1.messages_count_tokens:handle
    auth: [api-key]
    errors: anthropic
    routing: {{models: claude}}
  - path: /guardrail
    name: guardrail
    function: functions.guardrail:handle
    auth: [api-key]
  - path: /thrifty
    name: thrifty
    function: functions.v1.chat_completions:handle
    auth: [api-key]
    routing: {{models: cheap}}
    rateLimit: 2/hour
  - {{path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}}
"""


PLACE = """
    url: ${MODEL_A_URL}
    model_id: ${MODEL_A_ID}
    credentials: {token: "${MODEL_A_TOKEN}"}
    max_output_tokens: 1000
"""


MODELS = f"""
  capped:{PLACE}    price: {{input: 10.0, output: 1000.0}}
  cheap:{PLACE.replace("_A_", "_B_")}    price: {{input: 1.0, output: 2.0}}
  claude:
    url: ${{ANTHROPIC_URL}}
    model_id: claude-simulated
    dialect: anthropic
    credentials: {{token: anything}}
    max_output_tokens: 1000
    price: {{input: 10.0, output: 1000.0}}
  embedder:
    url: ${{EMBEDDER_URL}}
    model_id: simulated/embedder
    credentials: {{token: anything}}
    price: {{input: 0.1, output: 0}}
    max_output_tokens: 1
    candidate: false
"""


POLICIES = {
    "words": """
version: 1
name: words
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
  - {name: said, type: phrases, stages: [output], action: block, phrases: [plugh]}
"""
}


@pytest.fixture
def begin(start, simulator):
    """Starts a gateway with these limits; ``more`` is of the chat's route."""

    def run(limits, more="", chosen="models: [capped, cheap]", **changed):
        base = f"{simulator.url}/namespaces/serving-default/endpoints/embedder/v1"
        urls = {"EMBEDDER_URL": base, "ANTHROPIC_URL": f"{simulator.url}/anthropic/v1"}
        text = ROUTES.format(more=more, chosen=chosen) + limits
        return start(text, models=MODELS, policies=POLICIES, **urls, **changed)

    return run


def chat(gateway, text="What is GRPO?", path="/v1/chat/completions", model="capped", **more):
    """A question, to the model whose answers are dear unless another is named."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return gateway.client.post(path, json=body, headers=gateway.headers)


def left(reply, unit="requests") -> int:
    """What the caller is told is left."""
    return int(reply.headers[f"x-ratelimit-remaining-{unit}"])


def ratio(gateway, budget):
    """The spent share of a budget, as Prometheus hears of it."""
    registry = gateway.service.metrics.registry
    return registry.get_sample_value("ai_gateway_budget_used_ratio", {"budget": budget})


def costs(gateway) -> list[float]:
    """What every recorded answer cost."""
    return [row["cost"] for row in gateway.rows() if row["cost"]]


REQUESTS = "limits:\n  - {per: key, requests: 2/min}\n"


BUDGET = "budgets:\n  - {name: b, per: key, amount: 1.05, window: month, soft: 0.05}\n"
