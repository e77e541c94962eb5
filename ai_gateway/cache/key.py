"""What makes two requests the same.

Everything does, but for what is named in ``NOT_PART``: a parameter that nobody here has heard of
may change the answer, so it is part of the key, and the worst that can come of it is a miss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

Body = Mapping[str, Any]

#: How an answer is sent. A semantic match leaves only these out.
_SENDING: Final = frozenset({"stream", "stream_options"})
#: Of a body: how an answer is sent, and for whom. ``model`` is in the Scope, by its true name.
NOT_PART: Final = _SENDING | {"user", "metadata", "model"}

#: Characters of a question that meaning is compared by: in a long one an embedding loses details.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Scope:
    """The walls between partitions, beside the body itself.

    ``models``: the one model that was asked for, or all candidates. ``rules``: what else an answer
    follows from, such as the hashes of the manifest and the policies, and headers that are passed
    on; where they change, so does the key.
    """

    tenant: str
    route: str
    models: tuple[str, ...]
    format: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """The last user message of a request, and the digest of everything else."""

    partition: str
    text: str


def key(scope: Scope, body: Body) -> str:
    """The SHA-256 (hex) of ``scope`` and all of ``body`` that an answer follows from."""
    return _digest("exact", scope, {k: v for k, v in body.items() if k not in NOT_PART})


def question(scope: Scope, body: Body, embedder: str) -> Question | None:
    """What a semantic match compares, or None where meaning is not enough.

    That is where the last message is not a user's short text alone, and where there are tools:
    similar questions need not mean the same arguments. ``embedder`` names the embeddings model,
    since vectors of two models do not compare. ``user`` and ``metadata`` are walls here.
    """
    found = _split(body)
    if found is None or not found[1].strip() or len(found[1]) > _LONGEST or _acts(body):
        return None
    rest, text = found
    kept = {k: v for k, v in rest.items() if k not in _SENDING and k != "model"}
    return Question(_digest(f"semantic {embedder}", scope, kept), text)


def _digest(kind: str, scope: Scope, body: Body) -> str:
    models = tuple(sorted(set(scope.models)))
    parts = [kind, scope.tenant, scope.route, models, scope.format, scope.rules, body]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _acts(body: Body) -> bool:
    return any(body.get(name) for name in ("tools", "functions"))


def _split(body: Body) -> tuple[Body, str] | None:
    """``body`` without its last user message's text, and that text."""
    for name in ("messages", "input"):
        if isinstance(body.get(name), list):
            return _last(body, name, body[name])
    for name in ("prompt", "input"):
        if isinstance(body.get(name), str):
            return {**body, name: None}, body[name]
    return None


def _last(body: Body, name: str, items: Sequence[Any]) -> tuple[Body, str] | None:
    last = items[-1] if items else None
    if not isinstance(last, Mapping) or last.get("role") != "user":
        return None
    text = _text(last.get("content"))
    if text is None:
        return None
    return {**body, name: [*items[:-1], {**last, "content": None}]}, text


def _text(content: object) -> str | None:
    """The text of a message that holds nothing else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or len(content) != 1:
        return None
    part = content[0]
    if not isinstance(part, Mapping) or set(part) != {"type", "text"}:
        return None
    text = part["text"]
    return text if isinstance(text, str) else None
