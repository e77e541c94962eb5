"""``POST /rerank`` as vLLM and Cohere have it, ``POST /ranking`` as NIM has: by shared words."""

from __future__ import annotations

from typing import Any

from ai_gateway.simulator import fields, reply, text
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import OPENAI, Reply


def rerank(question: Question) -> Reply:
    """The documents by their relevance, 0..1, the best ``top_n`` of them."""
    body = question.body
    problem = fields.problem(body, _RERANK)
    if problem:
        return OPENAI.error(400, problem)
    documents = [_text(document) for document in body["documents"]]
    results: list[dict[str, Any]] = [
        {"index": index, "document": {"text": documents[index]}, "relevance_score": score}
        for index, score in _ranked(body["query"], documents)
    ]
    key = ("rerank", body["query"], *documents)
    return reply.json(
        {
            "id": f"rerank-{text.number(*key):016x}",
            "model": question.model,
            "usage": {"total_tokens": _tokens(body["query"], documents)},
            "results": results[: body.get("top_n")],
        }
    )


def ranking(question: Question) -> Reply:
    """All passages by their logit."""
    body = question.body
    problem = fields.problem(body, _RANKING)
    if problem:
        return OPENAI.error(400, problem)
    query, passages = _text(body["query"]), [_text(passage) for passage in body["passages"]]
    rankings = [
        {"index": index, "logit": round(10 * score - 5, 4)}
        for index, score in _ranked(query, passages)
    ]
    tokens = _tokens(query, passages)
    return reply.json(
        {"rankings": rankings, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    )


def _ranked(query: str, documents: list[str]) -> list[tuple[int, float]]:
    """Index and score, the best first; where scores are equal the order stays."""
    wanted = text.subject(query)
    scores = [
        round(len(wanted & text.subject(document)) / max(1, len(wanted)), 4)
        for document in documents
    ]
    return sorted(enumerate(scores), key=lambda pair: -pair[1])


def _tokens(query: str, documents: list[str]) -> int:
    return sum(map(text.count_tokens, (query, *documents)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value["text"])


def _is_text(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _are_documents(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, str) or _is_text(item) for item in value)
    )


_RERANK = (
    Field("query", fields.is_a(str), "a text", required=True),
    Field("documents", _are_documents, "a list of texts", required=True),
    Field("top_n", fields.integer(1, 10**6), "an integer of at least 1"),
)
_RANKING = (
    Field("query", _is_text, "an object with a text", required=True),
    Field("passages", _are_texts, "a list of objects with a text", required=True),
    Field("truncate", fields.one_of("NONE", "END"), "NONE or END"),
)
