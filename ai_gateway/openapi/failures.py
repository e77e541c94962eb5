"""The refusals and failures that the gateway answers with, by status and by their callers' SDK."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ai_gateway.openapi.operation import JSON, Operation

#: What any route may answer, whatever function stands behind it.
ANY: Final = ("400", "401", "403", "408", "413", "429", "431", "500", "503")
#: What a model's endpoint may add to it: its own refusals and failures keep their status.
OF_MODELS: Final = ("404", "4XX", "5XX")

_SAID: Final = {
    "400": "The request is not what the function takes, or its body is not as long as it says.",
    "401": "No credential that the route takes, or a wrong one.",
    "403": "Known, but not allowed; or a guardrail policy refused the text.",
    "404": "There is no such thing, or none that the caller may see.",
    "408": "The body did not arrive before its deadline.",
    "409": "What is there already, or another's change, stands in the way.",
    "412": "What is there is no longer what If-Match says.",
    "413": "The body is larger than the gateway reads.",
    "415": "The body is not said to be JSON.",
    "428": "The change needs If-Match.",
    "429": "A limit or a budget is used up.",
    "431": "The request's head is larger than the gateway reads.",
    "500": "Something failed inside the gateway.",
    "503": "The gateway, its store or an issuer of tokens cannot serve this now; try again.",
    "4XX": "The model's endpoint refused the request itself.",
    "5XX": "The model's endpoint failed, is away, or did not answer in time.",
}
_TEXT: Final = {"type": "string"}
_OPTIONAL: Final = {"type": ["string", "null"]}
#: As ``ai_gateway.problems`` renders them.
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "openai": {
        "title": "An error, as OpenAI's SDKs read it",
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "additionalProperties": False,
                "properties": {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": _OPTIONAL,
                    "code": _OPTIONAL,
                },
            }
        },
    },
    "anthropic": {
        "title": "An error, as Anthropic's SDKs read it",
        "type": "object",
        "required": ["type", "error"],
        "additionalProperties": False,
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "additionalProperties": False,
                "properties": {"type": _TEXT, "message": _TEXT},
            },
        },
    },
    "oip": {
        "title": "An error of the Open Inference Protocol",
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {"error": _TEXT},
    },
}
#: What a refusal carries beside the request's id.
_HEADERS: Final = {"401": ("www-authenticate",), "429": ("retry-after",)}


def statuses(operation: Operation | None) -> Iterator[str]:
    """Every failure that a route may answer with, each once."""
    found: Iterable[object] = ANY
    if operation is not None:
        found = (*ANY, *operation.errors, *(OF_MODELS if operation.asks_model else ()))
        found = (*found, *((412, 428) if operation.versioned else ()))
    yield from dict.fromkeys(map(str, found))


def name(status: str, shape: str) -> str:
    """What a response is called among the document's components."""
    # A head that cannot be read is refused before anybody knows whose callers sent it.
    return f"{'openai' if status == '431' else shape}-{status}"


def response(called: str) -> dict[str, Any]:
    """The component of that name."""
    shape, _, status = called.rpartition("-")
    headers = ["x-request-id", *_HEADERS.get(status, ())]
    return {
        "description": _SAID[status],
        "headers": {each: {"$ref": f"#/components/headers/{each}"} for each in headers},
        "content": {JSON: {"schema": {"$ref": f"#/components/schemas/error-{shape}"}}},
    }
