"""The SDK: a gateway's admin API, and questions to it, from Python.

It imports httpx and, where a cluster is looked up, PyYAML: nothing of what a gateway is made of.
"""

from ai_gateway.client.asynchronous import AsyncAI_Gateway
from ai_gateway.client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GatewayError,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ServerError,
    Unauthenticated,
    Unreachable,
)
from ai_gateway.client.synchronous import AI_Gateway
from ai_gateway.client.values import Answer, Key, Requests, Route, Security

__all__ = [
    "AI_Gateway",
    "Answer",
    "AsyncAI_Gateway",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "GatewayError",
    "Key",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Requests",
    "Route",
    "Security",
    "ServerError",
    "Unauthenticated",
    "Unreachable",
]
