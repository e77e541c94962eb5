"""A Messages request as a chat completion's request; docs/translation.md has the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_gateway.translate.anthropic import chat_turns
from ai_gateway.translate.anthropic.fields import Fields, items, refuse
from ai_gateway.translate.anthropic.words import EFFORTS

_WHY = "an OpenAI model has nothing that this could become."

#: The same name and meaning on both sides, and sampling parameters that NIM and vLLM take.
_SAME = (
    "model",
    "temperature",
    "top_p",
    "top_k",
    "chat_template_kwargs",
    "frequency_penalty",
    "logit_bias",
    "min_p",
    "min_tokens",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop_token_ids",
)

_TIERS = {"auto": "auto", "standard_only": "default"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}

#: Budgets below these many tokens are of this effort.
_BUDGETS = ((4096, "low"), (16384, "medium"))


def request(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` for a chat completions model; BadRequest names what has no counterpart there."""
    fields = Fields(body)
    sent: dict[str, Any] = {}
    fields.move(_SAME, sent)
    sent["messages"] = chat_turns.system(fields.take_any("system"))
    sent["messages"] += chat_turns.turns(fields.take_any("messages"))
    _limits(fields, sent)
    _tools(fields, sent)
    _effort(fields, sent)
    _caller(fields, sent)
    _stream(fields, sent)
    _continue(sent)
    # Prefixes are cached without being told to; usage says how much of one was.
    fields.take("cache_control", dict)
    fields.only("speed", ("standard",), _WHY)
    fields.end(_WHY)
    return sent


def _limits(fields: Fields, sent: dict[str, Any]) -> None:
    sent["max_tokens"] = fields.need("max_tokens", int)
    if stops := fields.take("stop_sequences", list):
        sent["stop"] = stops


def _caller(fields: Fields, sent: dict[str, Any]) -> None:
    tier = fields.only("service_tier", tuple(_TIERS), "it is auto or standard_only")
    if tier is not None:
        sent["service_tier"] = _TIERS[tier]
    if found := fields.take("metadata", dict):
        metadata = Fields(found, "metadata")
        if user := metadata.take("user_id", str):
            sent["user"] = user
        metadata.end(_WHY)


def _stream(fields: Fields, sent: dict[str, Any]) -> None:
    stream = fields.take("stream", bool)
    if stream is not None:
        sent["stream"] = stream
    if stream:
        sent["stream_options"] = {"include_usage": True}


def _continue(sent: dict[str, Any]) -> None:
    """A last message of the assistant's is the answer's beginning, as vLLM and NIM are told it."""
    messages = sent["messages"]
    if messages and messages[-1]["role"] == "assistant":
        sent |= {"continue_final_message": True, "add_generation_prompt": False}


def _effort(fields: Fields, sent: dict[str, Any]) -> None:
    config = Fields(fields.take("output_config", dict) or {}, "output_config")
    effort = config.only("effort", EFFORTS, f"it is one of {', '.join(EFFORTS)}")
    if found := config.take("format", dict):
        sent["response_format"] = _format(Fields(found, "output_config.format"))
    config.end(_WHY)
    thought = _thinking(fields.take("thinking", dict))
    if thought == "none" or effort is None:
        effort = thought
    if effort is not None:
        sent["reasoning_effort"] = effort


def _thinking(found: dict[str, Any] | None) -> str | None:
    """The effort that thinking asks for by itself, None where the model decides."""
    if found is None:
        return None
    thinking = Fields(found, "thinking")
    kind = thinking.only("type", ("enabled", "disabled", "adaptive"), _WHY)
    budget = thinking.take("budget_tokens", int)
    # The answer is without thinking where this is "omitted".
    thinking.only("display", ("summarized", "omitted"), _WHY)
    thinking.end(_WHY)
    if kind == "disabled":
        return "none"
    if budget is None:
        return None
    return next((effort for below, effort in _BUDGETS if budget < below), "high")


def _format(found: Fields) -> dict[str, Any]:
    found.only("type", ("json_schema",), _WHY)
    schema = found.need("schema", dict)
    found.end(_WHY)
    named = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _tools(fields: Fields, sent: dict[str, Any]) -> None:
    tools = fields.take_any("tools")
    if tools:
        sent["tools"] = [_tool(Fields(tool, place)) for place, tool in items(tools, "tools")]
    if found := fields.take("tool_choice", dict):
        _choose(Fields(found, "tool_choice"), sent)


def _tool(tool: Fields) -> dict[str, Any]:
    tool.only("type", ("custom",), "a tool that Anthropic runs cannot be run by another model")
    function: dict[str, Any] = {"name": tool.need("name", str)}
    tool.move(("description", "strict"), function)
    function["parameters"] = tool.need("input_schema", dict)
    # How a tool's arguments are cached and cut into events says nothing to the model.
    tool.take("cache_control", dict)
    tool.take("eager_input_streaming", bool)
    tool.only("defer_loading", (False,), _WHY)
    tool.only("allowed_callers", (["direct"],), _WHY)
    tool.end(_WHY)
    return {"type": "function", "function": function}


def _choose(choice: Fields, sent: dict[str, Any]) -> None:
    kind = choice.need("type", str)
    if kind == "tool":
        function = {"name": choice.need("name", str)}
        sent["tool_choice"] = {"type": "function", "function": function}
    elif kind in _CHOICES:
        sent["tool_choice"] = _CHOICES[kind]
    else:
        refuse("tool_choice.type", "it is auto, any, tool or none.")
    if choice.take("disable_parallel_tool_use", bool):
        sent["parallel_tool_calls"] = False
    choice.end(_WHY)
