"""What OpenTelemetry calls things: the one place to edit when the conventions rename them.

HTTP: https://opentelemetry.io/docs/specs/semconv/http/ (stable). Generative AI:
https://github.com/open-telemetry/semantic-conventions-genai, schema 1.42.0, in development.
Names that begin with ``ai_gateway.`` are the gateway's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SCOPE: Final = "ai_gateway"
GENAI_SCHEMA: Final = "https://opentelemetry.io/schemas/gen-ai/1.42.0"

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name of an attribute

DURATION: Final = "gen_ai.client.operation.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - a name of a metric
TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"

ROUTE: Final = "ai_gateway.route"
REQUEST_ID: Final = "ai_gateway.request_id"
MODEL: Final = "ai_gateway.model"
GUARDRAIL: Final = "ai_gateway.guardrail"
GUARDRAIL_POLICY: Final = "ai_gateway.guardrail.policy"
GUARDRAIL_CHECK: Final = "ai_gateway.guardrail.check"
GUARDRAIL_STAGE: Final = "ai_gateway.guardrail.stage"
GUARDRAIL_ACTION: Final = "ai_gateway.guardrail.action"
GUARDRAIL_MODE: Final = "ai_gateway.guardrail.mode"
GUARDRAIL_SCORE: Final = "ai_gateway.guardrail.score"
CACHE: Final = "ai_gateway.cache"
CACHE_OUTCOME: Final = "ai_gateway.cache.outcome"

#: Buckets that the conventions advise: of seconds, and of tokens.
SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
TOKENS: Final = tuple(4**power for power in range(14))

#: What ``gen_ai.operation.name`` is for a format of ``ai_gateway.formats``.
OPERATIONS: Final[Mapping[str, str]] = {
    "chat": "chat",
    "messages": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}

#: What ``gen_ai.provider.name`` is for a host that ends so.
PROVIDERS: Final[Mapping[str, str]] = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "anthropic.com": "anthropic",
    "amazonaws.com": "aws.bedrock",
    "googleapis.com": "gcp.vertex_ai",
    "mistral.ai": "mistral_ai",
    "groq.com": "groq",
    "deepseek.com": "deepseek",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
    "cohere.com": "cohere",
    "cloudera.site": "cloudera",
}


def operation(form: str) -> str:
    """What a call of format ``form`` is called; the conventions allow names of one's own."""
    return OPERATIONS.get(form, form)


def provider(host: str, dialect: str) -> str:
    """Who answers at ``host``; where that is not known, whose API is spoken there."""
    for suffix, name in PROVIDERS.items():
        if host == suffix or host.endswith(f".{suffix}"):
            return name
    return dialect
