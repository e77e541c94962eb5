"""Answers of the APIs that the gateway did not make up, as far as it holds models to them."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

Object = dict[str, Any]


class ChatReply(TypedDict):
    """OpenAI's chat completion."""

    choices: list[Object]
    model: NotRequired[str]
    usage: NotRequired[Object | None]


class CompletionReply(TypedDict):
    """OpenAI's older completion."""

    choices: list[Object]
    model: NotRequired[str]


class MessagesReply(TypedDict):
    """Anthropic's message."""

    content: list[Object]
    model: NotRequired[str]
    usage: NotRequired[Object | None]


class Count(TypedDict):
    """Tokens; ``estimated`` where no model counted them."""

    input_tokens: int
    estimated: NotRequired[bool]


class ResponsesReply(TypedDict):
    """OpenAI's response."""

    output: list[Object]
    model: NotRequired[str]


class DataReply(TypedDict):
    """Vectors, or pictures."""

    data: list[Object]


class RerankReply(TypedDict):
    """Documents by their bearing on the query."""

    results: list[Object]


class RankingReply(TypedDict):
    """Passages by their bearing on the query."""

    rankings: list[Object]


class Transcript(TypedDict):
    """What was heard."""

    text: str


class InferReply(TypedDict):
    """Tensors that a model answered."""

    outputs: list[Object]
    model_name: NotRequired[str]


class ModelEntry(TypedDict):
    """What a client may name as its model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(TypedDict):
    """All of it."""

    object: Literal["list"]
    data: list[ModelEntry]
