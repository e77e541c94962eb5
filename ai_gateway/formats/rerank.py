"""Reranking: documents in the order in which they answer a query.

``RERANK`` is Cohere's and vLLM's shape, ``RANKING`` that of NVIDIA's NIM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage
from ai_gateway.formats.chat import count, parts
from ai_gateway.guardrails.engine import Text


def _texts(documents: str) -> Callable[[Body], list[Text]]:
    def texts(body: Body) -> list[Text]:
        """The query, and the documents, which as retrieved words are of stage ``tool``."""
        return [
            *(Text(text, "input") for text in _strings(body.get("query"))),
            *(Text(text, "tool") for text in _strings(body.get(documents))),
        ]

    return texts


def _strings(value: object) -> list[str]:
    """The texts of strings, of ``{"text"}``, and of vLLM's ``{"content": parts}``."""
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        content = item.get("content") if isinstance(item, Mapping) else None
        found.extend(parts(content if content is not None else [item]))
    return found


def _read(results: str) -> Callable[[Body], Reading]:
    def read(body: Body) -> Reading:
        """The tokens; an order says nothing."""
        if not isinstance(body.get(results), list):
            raise UpstreamError(f"The model answered without {results}.")
        return Reading(usage=_usage(body))

    return read


def _usage(body: Body) -> Usage:
    """What vLLM and NIM call usage, and Cohere meta, where units of its own may stand alone."""
    used, meta = body.get("usage"), body.get("meta")
    if isinstance(used, Mapping):
        given = count(used, "prompt_tokens")
        return Usage(input=count(used, "total_tokens") if given is None else given, raw=used)
    if isinstance(meta, Mapping):
        return Usage(input=count(meta.get("tokens"), "input_tokens"), raw=meta)
    return Usage()


RERANK = Format(name="rerank", path="/rerank", texts=_texts("documents"), read=_read("results"))
RANKING = Format(name="ranking", path="/ranking", texts=_texts("passages"), read=_read("rankings"))
