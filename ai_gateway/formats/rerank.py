"""Reranking: documents in the order in which they answer a query.

``RERANK`` is Cohere's and vLLM's shape, ``RANKING`` that of NVIDIA's NIM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage
from ai_gateway.formats.chat import count
from ai_gateway.formats.definitions import definitions
from ai_gateway.formats.said import strings
from ai_gateway.guardrails.scene import Text


def _texts(documents: str) -> Callable[[Body], list[Text]]:
    def texts(body: Body) -> list[Text]:
        """The query, and the documents, which as retrieved words are of stage ``tool``."""
        return [
            *(Text(text, "input") for text in _strings(body.get("query"))),
            *(Text(text, "tool") for text in _strings(body.get(documents))),
        ]

    return texts


#: Keys of a document of which no model reads a text.
_UNSAID = frozenset({"image_url", "input_audio", "type", "url", "video_url"})


def _strings(value: object) -> Iterator[str]:
    """Strings, whatever a document that is an object calls them."""
    return strings(value, _UNSAID)


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


def _format(name: str, documents: str, results: str) -> Format:
    #: Keys of a request that ``texts`` reads, and that hold numbers or names of the API's own.
    known = frozenset({"model", "query", "return_documents", "top_n", "truncate", documents})
    return Format(
        name=name,
        path=f"/{name}",
        texts=_texts(documents),
        read=_read(results),
        definitions=lambda body: definitions(body, known),
    )


RERANK = _format("rerank", "documents", "results")
RANKING = _format("ranking", "passages", "rankings")
