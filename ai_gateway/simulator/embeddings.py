"""``POST /embeddings``: unit vectors of hashed words, so that similar texts are close."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from functools import lru_cache

from ai_gateway.simulator import fields, reply, text
from ai_gateway.simulator.completions import prompts
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import OPENAI, Reply

DIMENSIONS = 128
_MOST_DIMENSIONS = 512  # bits of the hash


def embeddings(question: Question) -> Reply:
    """One vector a text, as floats or as base64 of little-endian float32."""
    body = question.body
    problem = fields.problem(body, _FIELDS)
    if problem:
        return OPENAI.error(400, problem)
    texts = prompts(body["input"])
    vectors = [vector(said, body.get("dimensions") or DIMENSIONS) for said in texts]
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(one) if packed else one}
        for index, one in enumerate(vectors)
    ]
    tokens = sum(map(text.count_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return reply.json({"object": "list", "data": data, "model": question.model, "usage": usage})


def vector(said: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The normed sum of the vectors of the words that carry meaning, of all where none does."""
    stems = sorted(text.subject(said)) or text.stems(said) or [""]
    directions = [_signs(stem, dimensions) for stem in stems]
    whole = [sum(column) for column in zip(*directions, strict=True)]
    norm = math.sqrt(sum(value * value for value in whole)) or 1.0
    return [value / norm for value in whole]


@lru_cache(maxsize=4096)
def _signs(stem: str, dimensions: int) -> tuple[int, ...]:
    """A word's own direction: one or minus one in each dimension."""
    digest = hashlib.blake2b(stem.encode(errors="replace"), digest_size=_MOST_DIMENSIONS // 8)
    bits = int.from_bytes(digest.digest(), "big")
    return tuple(1 if bits >> place & 1 else -1 for place in range(dimensions))


def _packed(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


_FIELDS = (
    Field("input", fields.prompts, "a text, a list of texts, or token ids", required=True),
    Field(
        "dimensions",
        fields.integer(1, _MOST_DIMENSIONS),
        f"an integer between 1 and {_MOST_DIMENSIONS}",
    ),
    Field("encoding_format", fields.one_of("float", "base64"), "float or base64"),
    Field("input_type", fields.one_of("query", "passage"), "query or passage"),
    Field("truncate", fields.one_of("NONE", "START", "END"), "NONE, START or END"),
)
