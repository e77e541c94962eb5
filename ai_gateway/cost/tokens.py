"""A raw usage, sorted into counts that do not overlap, so that no token is priced twice.

APIs disagree about what contains what, and the raw usage says which it is:

- chat completions (``prompt_tokens``): cached and written tokens are part of the prompt, reasoning
  is part of the completion; where ``total_tokens`` shows that they come on top, they do. What it
  has beyond all of that is output.
- responses (``input_tokens`` with ``total_tokens`` or ``input_tokens_details``): as above.
- messages (``input_tokens`` alone or with ``cache_*_input_tokens``): cached and written tokens come
  on top, thinking is part of the output, and what a compaction used comes on top of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_gateway.formats import Usage
from ai_gateway.formats.chat import count

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Each token stands in one count only. ``searches`` are the provider's own, not tokens."""

    fresh: int = 0
    cached: int = 0
    written: int = 0
    #: Of what was written, that which is kept for an hour: not in ``written``.
    written_1h: int = 0
    answer: int = 0
    reasoning: int = 0
    searches: int = 0

    @property
    def input(self) -> int:
        """All of the input."""
        return self.fresh + self.cached + self.written + self.written_1h

    @property
    def output(self) -> int:
        """All of the output."""
        return self.answer + self.reasoning


def tokens(usage: Usage) -> Tokens | None:
    """The counts of ``usage``, by its raw form where that is known; None where nothing is."""
    raw = usage.raw or {}
    if _any(raw, "prompt_tokens", "completion_tokens"):
        return _chat(raw)
    if _any(raw, "input_tokens", "output_tokens"):
        return _messages(raw) if _of_messages(raw) else _responses(raw)
    if usage.input is None and usage.output is None:
        return None
    return _within(usage.input or 0, usage.cached or 0, usage.output or 0, usage.reasoning or 0)


def _any(raw: Raw, *names: str) -> bool:
    return any(count(raw, name) is not None for name in names)


def _first(*counts: int | None) -> int:
    return next((found for found in counts if found is not None), 0)


def _of_messages(raw: Raw) -> bool:
    if "cache_read_input_tokens" in raw or "cache_creation_input_tokens" in raw:
        return True
    return "total_tokens" not in raw and "input_tokens_details" not in raw


def _chat(raw: Raw) -> Tokens:
    details = raw.get("prompt_tokens_details")
    prompt = count(raw, "prompt_tokens") or 0
    completion = count(raw, "completion_tokens") or 0
    cached = (
        count(details, "cached_tokens")
        or count(raw, "prompt_cache_hit_tokens")  # DeepSeek
        or count(raw, "cache_read_input_tokens")  # Databricks
        or 0
    )
    written = (
        count(details, "cache_write_tokens")  # OpenRouter
        or count(details, "cache_creation_tokens")
        or count(raw, "cache_creation_input_tokens")
        or 0
    )
    reasoning = count(raw.get("completion_tokens_details"), "reasoning_tokens") or 0
    beyond = (count(raw, "total_tokens") or 0) - prompt - completion
    if reasoning and beyond == reasoning:  # xAI counts it outside the completion
        completion += reasoning
    elif beyond > 0 and beyond == cached + written:
        prompt += beyond
    else:  # Gemini counts its thoughts in the total alone
        completion += max(0, beyond)
    return _within(prompt, cached, completion, reasoning, written)


def _responses(raw: Raw) -> Tokens:
    details = raw.get("input_tokens_details")
    given = _first(count(raw, "input_tokens"))
    return _within(
        given,
        _first(count(details, "cached_tokens")),
        max(_first(count(raw, "output_tokens")), _first(count(raw, "total_tokens")) - given),
        _first(count(raw.get("output_tokens_details"), "reasoning_tokens")),
        _first(count(details, "cache_write_tokens")),
    )


def _within(prompt: int, cached: int, completion: int, reasoning: int, written: int = 0) -> Tokens:
    """Parts of a whole; a part that is claimed to be larger is cut to it."""
    cached = min(cached, prompt)
    written = min(written, prompt - cached)
    reasoning = min(reasoning, completion)
    return Tokens(
        fresh=prompt - cached - written,
        cached=cached,
        written=written,
        answer=completion - reasoning,
        reasoning=reasoning,
    )


def _messages(raw: Raw) -> Tokens:
    own = _iteration(raw)
    iterations = raw.get("iterations")
    compactions = [
        _iteration(item)
        for item in (iterations if isinstance(iterations, list) else ())
        if isinstance(item, Mapping) and item.get("type") == "compaction"
    ]
    for found in compactions:
        own = Tokens(
            **{name: getattr(own, name) + getattr(found, name) for name in Tokens.__slots__}
        )
    return own


def _iteration(raw: Raw) -> Tokens:
    kept = raw.get("cache_creation")
    hour = _first(count(kept, "ephemeral_1h_input_tokens"))
    minutes = _first(count(kept, "ephemeral_5m_input_tokens"))
    written = _first(count(raw, "cache_creation_input_tokens"), hour + minutes)
    hour = min(hour, written)
    output = _first(count(raw, "output_tokens"))
    reasoning = min(output, _first(count(raw.get("output_tokens_details"), "thinking_tokens")))
    return Tokens(
        fresh=_first(count(raw, "input_tokens")),
        cached=_first(count(raw, "cache_read_input_tokens")),
        written=written - hour,
        written_1h=hour,
        answer=output - reasoning,
        reasoning=reasoning,
        searches=_first(count(raw.get("server_tool_use"), "web_search_requests")),
    )
