"""What each provider of docs/upstreams.md says on the wire, as its public documentation has it.

The texts are ours; the fields, their oddities and the errors are the provider's.

One file: a table, a provider each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.upstream.fake import DONE, event, reply

SAID = "Ein Café in Köln."
PIECES = ("Ein Ca", "fé in", " Köln.")


@dataclass(frozen=True)
class Provider:
    """How one provider speaks, and what the gateway makes of its error."""

    row: str
    #: Path and query of a chat completion.
    target: str
    #: The header that carries the key, and what is in it; None for no key.
    auth: tuple[str, str] | None
    #: A whole answer, a streamed one event by event, and an error.
    whole: dict[str, Any]
    stream: tuple[bytes, ...]
    error: bytes
    #: Status and code for the caller, some of the words, and headers that must be among his.
    refused: tuple[int, str, str]
    headers: dict[str, str] = field(default_factory=dict)
    #: Whether `stream_options` is sent.
    asks_usage: bool = True
    usage: tuple[int, int] = (9, 7)


USAGE = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}


def chat(content: Any = SAID, usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    """A whole chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "logprobs": None,
        "finish_reason": "stop",
    }
    named = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1767000000, "model": "m"}
    return {**named, "choices": [choice], "usage": usage}


def chunk(finish: str | None = None, choices: Any = None, more: Any = None, **delta: Any) -> bytes:
    """One event of a streamed chat completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    named = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1767000000}
    choices = [choice] if choices is None else choices
    return event({**named, "model": "m", "choices": choices, **(more or {})})


def streamed(*before: bytes, end: tuple[bytes, ...] = (), more: Any = None) -> tuple[bytes, ...]:
    """A stream that says SAID: what comes before, the words, and the end."""
    words = (chunk(content=piece, more=more) for piece in PIECES)
    return (*before, *words, *(end or (chunk("stop"), chunk(choices=[], more=TOLD), DONE)))


TOLD = {"usage": USAGE}
NULL = {"usage": None}
JSON = "application/json"


def openai_error(message: str, kind: str, code: Any = None, **more: Any) -> dict[str, Any]:
    """An error of OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


NIM = "/namespaces/serving-default/endpoints/NAME"
AZURE_FILTER = {"hate": {"filtered": False, "severity": "safe"}}
AZURE = {
    "whole": {**chat(), "prompt_filter_results": [{"prompt_index": 0}]},
    "stream": streamed(
        event(
            {
                "choices": [],
                "created": 0,
                "id": "",
                "model": "",
                "object": "",
                "prompt_filter_results": [
                    {"prompt_index": 0, "content_filter_results": AZURE_FILTER}
                ],
            }
        ),
        chunk(role="assistant", content="", refusal=None),
        end=(
            chunk(choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]),
            chunk("stop"),
            chunk(choices=[], more=TOLD),
            DONE,
        ),
    ),
}
GOOGLE_ERROR = [
    {"error": {"code": 429, "message": "Resource exhausted.", "status": "RESOURCE_EXHAUSTED"}}
]
ANTHROPIC_START = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "model": "m",
    "stop_sequence": None,
}

PROVIDERS = (
    Provider(
        "Cloudera, NIM 1.x",
        f"{NIM}/v1/chat/completions",
        ("authorization", "Bearer a.jwt"),
        chat(reasoning_content="Hm.", tool_calls=[]) | {"prompt_logprobs": None},
        streamed(
            chunk(role="assistant", content=None), chunk(reasoning_content="Hm.", content=None)
        ),
        reply(
            {
                "object": "error",
                "message": "This model's maximum context length is 8192 tokens.",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
            400,
        ),
        (400, "upstream_refused", "maximum context length"),
    ),
    Provider(
        "Cloudera, NIM 2.x",
        f"{NIM}/v1/chat/completions",
        ("authorization", "Bearer a.jwt"),
        chat(reasoning="Hm.", refusal=None) | {"kv_transfer_params": None},
        streamed(chunk(role="assistant", content=""), chunk(reasoning="Hm.")),
        reply(openai_error("The model `x` does not exist.", "NotFoundError", 404), 404),
        (404, "upstream_refused", "does not exist"),
    ),
    Provider(
        "Cloudera, vLLM",
        f"{NIM}/openai/v1/chat/completions",
        ("authorization", "Bearer a.jwt"),
        chat(reasoning_content=None, tool_calls=[]) | {"prompt_logprobs": None},
        streamed(chunk(role="assistant", content="")),
        reply(b"context deadline exceeded", 503, None, "text/plain; charset=utf-8"),
        (503, "upstream_cold_start", "context deadline exceeded"),
    ),
    Provider(
        "OpenAI",
        "/v1/chat/completions",
        ("authorization", "Bearer a-key"),
        chat(refusal=None, annotations=[]) | {"service_tier": "default"},
        streamed(
            chunk(role="assistant", content="", refusal=None, more=NULL),
            more={"usage": None, "obfuscation": "aB3x"},
        ),
        reply(
            openai_error("Rate limit reached for gpt-5-mini.", "requests", "rate_limit_exceeded"),
            429,
            {"retry-after-ms": "750", "retry-after": "1", "x-request-id": "req_1"},
        ),
        (429, "upstream_rate_limited", "Rate limit reached"),
        {"retry-after-ms": "750", "retry-after": "1", "x-upstream-request-id": "req_1"},
    ),
    Provider(
        "Azure OpenAI, deployments",
        "/openai/deployments/DEPLOYMENT/chat/completions?api-version=2024-10-21",
        ("api-key", "a-key"),
        **AZURE,
        error=reply(
            openai_error(
                "The response was filtered.",
                "",
                "content_filter",
                status=400,
                innererror={"code": "ResponsibleAIPolicyViolation"},
            ),
            400,
            {"apim-request-id": "a-1", "ms-azureml-model-error-statuscode": "400"},
        ),
        refused=(400, "upstream_refused", "was filtered"),
        headers={"x-upstream-request-id": "a-1"},
    ),
    Provider(
        "Azure OpenAI, v1",
        "/openai/v1/chat/completions",
        ("api-key", "a-key"),
        **AZURE,
        error=reply(
            {"error": {"code": "429", "message": "Requests have exceeded the call rate limit."}},
            429,
            {"retry-after": "12", "apim-request-id": "a-2"},
        ),
        refused=(429, "upstream_rate_limited", "call rate limit"),
        headers={"retry-after": "12", "x-upstream-request-id": "a-2"},
    ),
    Provider(
        "Anthropic",
        "/v1/messages",
        ("x-api-key", "a-key"),
        {
            **ANTHROPIC_START,
            "content": [{"type": "text", "text": SAID}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 9, "output_tokens": 7},
        },
        (
            event(
                {
                    "type": "message_start",
                    "message": {
                        **ANTHROPIC_START,
                        "content": [],
                        "stop_reason": None,
                        "usage": {"input_tokens": 9, "output_tokens": 1},
                    },
                },
                "message_start",
            ),
            event(
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "text", "text": ""},
                },
                "content_block_start",
            ),
            event({"type": "ping"}, "ping"),
            *(
                event(
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "text_delta", "text": piece},
                    },
                    "content_block_delta",
                )
                for piece in PIECES
            ),
            event({"type": "content_block_stop", "index": 0}, "content_block_stop"),
            event(
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": 7},
                },
                "message_delta",
            ),
            event({"type": "message_stop"}, "message_stop"),
        ),
        reply(
            {
                "type": "error",
                "error": {"type": "overloaded_error", "message": "Overloaded"},
                "request_id": "req_2",
            },
            529,
            {"request-id": "req_2", "retry-after": "5"},
        ),
        (529, "upstream_unavailable", "Overloaded"),
        {"retry-after": "5", "x-upstream-request-id": "req_2"},
        asks_usage=False,
    ),
    Provider(
        "Amazon Bedrock",
        "/openai/v1/chat/completions",
        ("authorization", "Bearer bedrock-api-key-"),
        chat(),
        streamed(chunk(role="assistant", content="")),
        reply(
            {"message": "Too many requests, please wait before trying again."},
            429,
            {"x-amzn-requestid": "b-1", "x-amzn-errortype": "ThrottlingException"},
        ),
        (429, "upstream_rate_limited", "Too many requests"),
        {"x-upstream-request-id": "b-1"},
    ),
    Provider(
        "Google Vertex AI",
        "/v1/projects/PROJECT/locations/us-central1/endpoints/openapi/chat/completions",
        ("authorization", "Bearer ya29.token"),
        chat() | {"usage": {**USAGE, "extra_properties": {"google": {"traffic_type": "X"}}}},
        streamed(
            more={"usage": None},
            end=(chunk("stop", content="", role="assistant", more=TOLD), DONE),
        ),
        reply(GOOGLE_ERROR, 429, {"vary": "Origin"}),
        (429, "upstream_rate_limited", "Resource exhausted"),
    ),
    Provider(
        "Google Gemini API",
        "/v1beta/openai/chat/completions",
        ("authorization", "Bearer a-key"),
        chat(),
        streamed(end=(chunk("stop", role="assistant", more=TOLD), DONE)),
        reply(
            [
                {
                    "error": {
                        "code": 400,
                        "message": "API key not valid.",
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ],
            400,
        ),
        (400, "upstream_refused", "API key not valid"),
    ),
    Provider(
        "Databricks",
        "/serving-endpoints/chat/completions",
        ("authorization", "Bearer a-key"),
        chat([{"type": "text", "text": SAID}]),
        streamed(
            more={"usage": {"prompt_tokens": 9, "completion_tokens": None, "total_tokens": None}},
            end=(chunk("stop", content="", more=TOLD), DONE),
        ),
        reply(
            {
                "error_code": "REQUEST_LIMIT_EXCEEDED",
                "message": "REQUEST_LIMIT_EXCEEDED: too many.",
            },
            429,
            {"retry-after": "2", "x-request-id": "d-1", "server": "databricks"},
        ),
        (429, "upstream_rate_limited", "too many"),
        {"retry-after": "2", "x-upstream-request-id": "d-1"},
        asks_usage=False,
    ),
    Provider(
        "OpenRouter",
        "/api/v1/chat/completions",
        ("authorization", "Bearer a-key"),
        chat(reasoning=None, usage={**USAGE, "cost": 0.0001, "is_byok": False})
        | {"provider": "Groq"},
        streamed(
            b": OPENROUTER PROCESSING\n\n",
            b": OPENROUTER PROCESSING\n\n",
            chunk(role="assistant", content="", reasoning="Hm."),
            end=(
                chunk("stop", role="assistant", content=""),
                chunk(
                    choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}],
                    more={"usage": {**USAGE, "cost": 0.0001}},
                ),
                DONE,
            ),
        ),
        reply(
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 429,
                    "metadata": {"raw": "m is rate-limited upstream", "provider_name": "X"},
                },
                "user_id": "user_1",
            },
            429,
        ),
        (429, "upstream_rate_limited", "Provider returned error"),
    ),
    Provider(
        "Groq",
        "/openai/v1/chat/completions",
        ("authorization", "Bearer a-key"),
        chat() | {"usage": {**USAGE, "queue_time": 0.01}, "x_groq": {"id": "req_3"}},
        streamed(
            chunk(role="assistant", content="", more={"x_groq": {"id": "req_3"}}),
            end=(
                chunk("stop", more={"x_groq": {"id": "req_3", "usage": USAGE}}),
                chunk(choices=[], more=TOLD),
                DONE,
            ),
        ),
        reply(
            openai_error("Failed to call a function.", "invalid_request_error", "tool_use_failed"),
            400,
            {"x-request-id": "req_3"},
        ),
        (400, "upstream_refused", "Failed to call a function"),
        {"x-upstream-request-id": "req_3"},
    ),
    Provider(
        "Mistral",
        "/v1/chat/completions",
        ("authorization", "Bearer a-key"),
        chat(tool_calls=None, prefix=False),
        streamed(
            chunk(role="assistant", content=""),
            end=(chunk("stop", content="", more=TOLD), DONE),
        ),
        reply(
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "seed"],
                            "msg": "Extra inputs are not permitted",
                            "input": 1,
                        }
                    ]
                },
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
            422,
            {"mistral-correlation-id": "c-1"},
        ),
        (422, "upstream_refused", "Extra inputs are not permitted"),
        {"x-upstream-request-id": "c-1"},
        asks_usage=False,
    ),
    Provider(
        "Ollama",
        "/v1/chat/completions",
        None,
        chat() | {"system_fingerprint": "fp_ollama"},
        streamed(
            end=(chunk("stop", role="assistant", content=""), chunk(choices=[], more=TOLD), DONE)
        ),
        reply(openai_error('model "x" not found, try pulling it first', "api_error"), 404),
        (404, "upstream_refused", "try pulling it first"),
    ),
)


def sent(row: dict[str, Any], body: dict[str, Any], provider: Provider, *, stream: bool) -> bytes:
    """The bytes of the request for ``body`` that the provider gets."""
    found = {**body, "model": row["model_id"]}
    if stream:
        found["stream"] = True
        if provider.asks_usage:
            found["stream_options"] = {"include_usage": True}
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()
