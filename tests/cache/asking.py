"""Routes with a cache, and how they are asked."""

MODELS = """
  embedder:
    url: ${EMBEDDER_URL}
    model_id: simulated/embedder
    credentials: {token: anything}
    price: {input: 0.1, output: 0}
  claude:
    url: ${ANTHROPIC_URL}
    model_id: claude-simulated
    dialect: anthropic
    credentials: {token: anything}
    price: {input: 3, output: 15}
"""
ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a, model-b, claude]}
    cache: {ttl: 1h}
  - path: /v1/messages
    function: functions.v1.messages:handle
    auth: api-key
    errors: anthropic
    routing: {models: [model-a, claude]}
    cache: {ttl: 1h}
  - path: /v1/responses
    function: functions.v1.responses:handle
    auth: api-key
    routing: {models: [model-a]}
    cache: {}
  - path: /v1/completions
    function: functions.v1.completions:handle
    auth: api-key
    routing: {models: [model-a]}
    cache: {}
  - {path: /v1/embeddings, function: "functions.v1.embeddings:handle", auth: api-key, cache: {}}
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    privacy: none
    routing: {models: [model-a]}
    cache: {always: true}
  - path: /similar
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a]}
    cache: {semantic: {model: embedder, threshold: 0.8}}
  - path: /off
    function: functions.v1.chat_completions:handle
    auth: api-key
    routing: {models: [model-a]}
"""


def post(gateway, path, body, headers=None):
    """A request whose answer is read to its end."""
    sent = {**gateway.headers, **(headers or {})}
    reply = gateway.client.post(path, json=body, headers=sent)
    reply.get_data()
    return reply


def ask(gateway, text="What is GRPO?", path="/v1/chat/completions", headers=None, **body):
    """A question whose answer is always the same."""
    body = {"model": "model-a", "temperature": 0, **body}
    body.setdefault("messages", [{"role": "user", "content": text}])
    return post(gateway, path, body, headers)


def outcome(reply):
    """What the cache had to say."""
    return reply.headers.get("x-gateway-cache")
