"""Every provider's errors, raised as the caller's own SDK raises them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.upstream.fake import FakeUpstream, reply

pytestmark = pytest.mark.wire

MODELS = """
  here: {{url: "{origin}/v1", model_id: m}}
  claude: {{url: "{origin}/v1", model_id: m, dialect: anthropic}}
"""
ROUTES = """
  - {path: /v1/chat/completions, function: "functions.v1.chat_completions:handle", auth: api-key}
  - {path: /v1/responses, function: "functions.v1.responses:handle", auth: api-key}
  - path: /v1/messages
    function: functions.v1.messages:handle
    errors: anthropic
    auth: api-key
"""
#: What each SDK raises for the status that the gateway answers.
CLASSES: dict[int, tuple[type[Exception], type[Exception]]] = {
    400: (openai.BadRequestError, anthropic.BadRequestError),
    404: (openai.NotFoundError, anthropic.NotFoundError),
    413: (openai.APIStatusError, anthropic.RequestTooLargeError),
    422: (openai.UnprocessableEntityError, anthropic.UnprocessableEntityError),
    429: (openai.RateLimitError, anthropic.RateLimitError),
    500: (openai.InternalServerError, anthropic.InternalServerError),
    501: (openai.InternalServerError, anthropic.HTTPNotImplementedError),
    502: (openai.InternalServerError, anthropic.InternalServerError),
    503: (openai.InternalServerError, anthropic.ServiceUnavailableError),
    504: (openai.InternalServerError, anthropic.DeadlineExceededError),
    520: (openai.InternalServerError, anthropic.InternalServerError),
    529: (openai.InternalServerError, anthropic.OverloadedError),
}
PAGE = b"<!DOCTYPE html><html><body>Sign in at https://sso.internal</body></html>"


@dataclass(frozen=True)
class Shape:
    """One error on the wire, and the status and words that the caller gets of it."""

    name: str
    status: int
    body: Any
    becomes: int
    says: str
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    #: The upstream's own status as it is told on, where it did not stand in the head.
    told: int | None = None
    model: str = "here"
    #: The wait that stands in the body.
    told_wait: str | None = None

    def __str__(self) -> str:
        return self.name


def text(name: str, status: int, body: str | bytes, becomes: int, says: str, **more: Any) -> Shape:
    """A plain text."""
    return Shape(name, status, body, becomes, says, content_type="text/plain", **more)


def nested(message: str, kind: str, code: Any = None, **more: Any) -> dict[str, Any]:
    """OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def flat(message: str, kind: str, code: int) -> dict[str, Any]:
    """VLLM's shape until 0.10."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def claude(kind: str, message: str) -> dict[str, Any]:
    """Anthropic's shape."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


NUMBER = {"request-id": "req_1"}
CREDENTIALS = "refused the gateway's credentials"
SHAPES = (
    Shape("NIM 1 context", 400, flat("too many tokens", "BadRequestError", 400), 400, "too many"),
    Shape("NIM 1 model", 404, flat("no model x", "NotFoundError", 404), 404, "no model x"),
    Shape("NIM 1 under 200", 200, flat("bad n", "BadRequestError", 400), 400, "bad n", told=400),
    Shape("NIM 2 context", 400, nested("too many tokens", "BadRequestError", 400), 400, "too many"),
    Shape("NIM fields", 422, {"detail": [{"msg": "not a list", "loc": ["m"]}]}, 422, "not a list"),
    Shape("NVCF no function", 404, {"status": 404, "title": "Not Found", "detail": "x"}, 404, "x"),
    Shape("NVCF limit", 429, {"status": 429, "title": "Too Many Requests"}, 429, "Too Many"),
    Shape("NVCF silent", 504, b"", 504, "(504)", {"nvcf-reqid": "n-1"}),
    text("NVCF no key", 401, "Header of type `authorization` was missing", 502, CREDENTIALS),
    Shape("vLLM engine", 500, nested("EngineCore died", "InternalServerError", 500), 500, "Engine"),
    Shape("vLLM overloaded", 503, nested("busy", "ServiceUnavailable", 503), 503, "busy"),
    Shape("KServe", 400, {"error": {"code": "400", "message": "bad", "type": "B"}}, 400, "bad"),
    Shape("KServe text", 400, {"error": "shape mismatch"}, 400, "shape mismatch"),
    Shape("OpenAI param", 400, nested("bad seed", "invalid_request_error"), 400, "bad seed"),
    Shape(
        "OpenAI limit",
        429,
        nested("Rate limit reached", "requests", "rate_limit_exceeded"),
        429,
        "Rate limit",
        {"retry-after": "20", "retry-after-ms": "19500", "x-request-id": "req_1"},
    ),
    Shape("OpenAI quota", 429, nested("quota", "insufficient_quota"), 429, "quota"),
    Shape("OpenAI key", 401, nested("Incorrect API key", "x", "invalid_api_key"), 502, CREDENTIALS),
    Shape("OpenAI country", 403, nested("unsupported region", "x"), 502, CREDENTIALS),
    Shape("OpenAI server", 500, nested("had an error", "server_error"), 500, "had an error"),
    Shape("OpenAI overload", 503, nested("overloaded", "server_error"), 503, "overloaded"),
    Shape(
        "Azure limit",
        429,
        {"error": {"code": "429", "message": "exceeded token rate limit"}},
        429,
        "token rate limit",
        {"retry-after": "7", "apim-request-id": "a-1"},
    ),
    Shape(
        "Azure filter",
        400,
        nested("filtered", "", "content_filter", innererror={"code": "X"}),
        400,
        "filtered",
    ),
    Shape(
        "OpenRouter moderation",
        403,
        nested("m. was flagged", "", 403, metadata={"reasons": ["x"], "flagged_input": "Hi"}),
        400,
        "m. was flagged",
    ),
    Shape("OpenRouter key", 403, nested("x", "", 403, metadata={"reasons": []}), 502, CREDENTIALS),
    Shape("Azure none", 404, {"error": {"code": "DeploymentNotFound", "message": "x"}}, 404, "x"),
    Shape("Azure key", 401, {"error": {"code": "401", "message": "no"}}, 502, CREDENTIALS),
    Shape("Azure under 200", 200, nested("x", "server_error", "500"), 500, "x", told=500),
    *(
        Shape(
            f"Anthropic {kind}", status, claude(kind, "m."), becomes, says, NUMBER, model="claude"
        )
        for kind, status, becomes, says in (
            ("invalid_request_error", 400, 400, "m."),
            ("authentication_error", 401, 502, CREDENTIALS),
            ("billing_error", 402, 502, CREDENTIALS),
            ("permission_error", 403, 502, CREDENTIALS),
            ("not_found_error", 404, 404, "m."),
            ("request_too_large", 413, 413, "m."),
            ("rate_limit_error", 429, 429, "m."),
            ("api_error", 500, 500, "m."),
            ("timeout_error", 504, 504, "m."),
            ("overloaded_error", 529, 529, "m."),
        )
    ),
    Shape(
        "Bedrock limit",
        429,
        {"message": "Too many tokens"},
        429,
        "Too many tokens",
        {"x-amzn-requestid": "b-1", "x-amzn-errortype": "ThrottlingException"},
    ),
    Shape("Bedrock field", 400, {"message": "Malformed input"}, 400, "Malformed"),
    Shape("Bedrock none", 404, {"Message": "The model is not found"}, 404, "not found"),
    Shape("Bedrock denied", 403, {"Message": "User: arn:x is not authorized"}, 502, CREDENTIALS),
    Shape("Bedrock away", 503, {"message": "Bedrock is unable to process"}, 503, "unable"),
    *(
        Shape(
            f"Google {name}",
            status,
            [{"error": {"code": status, "message": "m.", "status": name}}],
            becomes,
            says,
        )
        for name, status, becomes, says in (
            ("INVALID_ARGUMENT", 400, 400, "m."),
            ("UNAUTHENTICATED", 401, 502, CREDENTIALS),
            ("PERMISSION_DENIED", 403, 502, CREDENTIALS),
            ("NOT_FOUND", 404, 404, "m."),
            ("RESOURCE_EXHAUSTED", 429, 429, "m."),
            ("INTERNAL", 500, 500, "m."),
            ("UNAVAILABLE", 503, 503, "m."),
            ("DEADLINE_EXCEEDED", 504, 504, "m."),
        )
    ),
    Shape(
        "Databricks limit",
        429,
        {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "limit"},
        429,
        "limit",
        {"retry-after": "3", "x-request-id": "d-1"},
    ),
    Shape(
        "Databricks none", 404, {"error_code": "X", "message": "no endpoint"}, 404, "no endpoint"
    ),
    Shape("Databricks field", 400, {"error_code": "BAD_REQUEST", "message": "b"}, 400, "b"),
    Shape("Databricks token", 403, {"error_code": "403", "message": "Invalid"}, 502, CREDENTIALS),
    Shape("Ollama none", 404, nested("model not found, try pulling", "api_error"), 404, "pulling"),
    Shape("Ollama old", 400, {"error": "invalid format"}, 400, "invalid format"),
    Shape(
        "Google wait",
        429,
        [{"error": {"code": 429, "message": "m.", "details": [{"retryDelay": "38.5s"}]}}],
        429,
        "m.",
        told_wait="39",
    ),
    text("Ollama path", 404, "404 page not found", 404, "404 page not found"),
    text("Knative queue", 503, "pending request queue full", 503, "is starting"),
    text("Knative deadline", 503, "context deadline exceeded", 503, "is starting"),
    text("Knative activator", 504, "activator request timeout", 503, "is starting"),
    text("Knative time", 504, "request timeout", 504, "did not answer in time"),
    text(
        "Envoy", 502, "upstream connect error or disconnect/reset before headers", 503, "starting"
    ),
    text("Istio", 503, "no healthy upstream", 503, "is starting"),
    text("Istio token", 401, "Jwt is expired", 502, CREDENTIALS),
    text("Istio role", 403, "RBAC: access denied", 502, CREDENTIALS),
    Shape("login page", 200, PAGE, 502, "HTML page", content_type="text/html", told=0),
    Shape("login 403", 403, PAGE, 502, CREDENTIALS, content_type="text/html"),
    Shape("login redirect", 302, b"", 502, "redirect", {"location": "/login"}),
    text("gateway before it", 502, "bad gateway", 502, "failed (502). It said: bad gateway"),
    text("method", 501, "not implemented", 501, "failed (501)"),
    text("Cloudflare", 520, "error code: 520", 520, "error code: 520"),
    text("no HTTP status", 600, "", 502, "failed (600)"),
    text("slow request", 408, "", 504, "did not answer in time"),
    Shape("proxy's page", 502, PAGE, 502, "HTML page", content_type="text/html"),
)


@pytest.fixture
def transport(start: Any, upstream: FakeUpstream) -> httpx2.Client:
    """The way of an SDK into a gateway before the scripted upstream."""
    gateway = start(ROUTES, models=MODELS.format(origin=upstream.origin).lstrip("\n"))
    app = gateway.client.application
    return httpx2.Client(transport=httpx2.WSGITransport(app=app))


def script(upstream: FakeUpstream, shape: Shape) -> None:
    """The error, once for each way to ask."""
    body = shape.body if isinstance(shape.body, (bytes, str)) else json.dumps(shape.body)
    upstream.always = reply(body, shape.status, shape.headers, shape.content_type)


def check(error: Any, shape: Shape, kind: type[Exception]) -> None:
    """The class, the status, the words and what the upstream said in its headers."""
    raised: type = type(error)
    assert raised is kind
    assert error.status_code == shape.becomes
    assert shape.says in str(error)
    assert "sso.internal" not in str(error)
    told = error.response.headers
    own = next((value for name, value in shape.headers.items() if "id" in name), None)
    assert told.get("x-upstream-request-id") == own
    assert told.get("retry-after") == shape.headers.get("retry-after", shape.told_wait)
    assert told.get("retry-after-ms") == shape.headers.get("retry-after-ms")
    status = shape.status if shape.told is None else shape.told
    assert told.get("x-upstream-status") == (str(status) if status else None)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_openais_sdk(transport: Any, upstream: FakeUpstream, shape: Shape) -> None:
    """A caller of chat completions or Responses gets OpenAI's own exception, streamed or not."""
    script(upstream, shape)
    base = "http://gateway/v1"
    client = openai.OpenAI(
        api_key="a-key-for-tests", base_url=base, max_retries=0, http_client=transport
    )
    kind = CLASSES[shape.becomes][0]
    asks = [{"role": "user", "content": "Hi"}]
    for stream in (False, True):
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=shape.model, messages=asks, stream=stream)
        check(caught.value, shape, kind)
    if shape.model == "here":
        with pytest.raises(openai.APIStatusError) as caught:
            client.responses.create(model=shape.model, input="Hi")
        check(caught.value, shape, kind)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_anthropics_sdk(transport: Any, upstream: FakeUpstream, shape: Shape) -> None:
    """A caller of the Messages API gets Anthropic's own exception, streamed or not."""
    script(upstream, shape)
    client = anthropic.Anthropic(
        api_key="a-key-for-tests", base_url="http://gateway", max_retries=0, http_client=transport
    )
    asks = [{"role": "user", "content": "Hi"}]
    for stream in (False, True):
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(model=shape.model, max_tokens=50, messages=asks, stream=stream)
        check(caught.value, shape, CLASSES[shape.becomes][1])
