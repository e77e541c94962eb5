"""A chat completion's request as a Messages request; docs/translation.md has the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_gateway.translate.anthropic import messages_turns
from ai_gateway.translate.anthropic.fields import Fields, expect, items, refuse
from ai_gateway.translate.anthropic.words import EFFORTS

#: What the Messages API must be told and a chat completion's caller may leave out.
MAX_TOKENS = 4096

_WHY = "an Anthropic model has nothing that this could become."

#: The same name and meaning on both sides; ``thinking`` and ``top_k`` are Anthropic's own.
_SAME = ("model", "top_p", "top_k", "thinking")

#: What changes nothing at these values, and cannot be said at any other.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "presence_penalty": (0,),
    "store": (False,),
    "top_logprobs": (0,),
}

#: Where a provider keeps a cached prefix and how long: cost, and nothing that a model reads.
_COST = ("prompt_cache_key", "prompt_cache_retention")

_TIERS = {"auto": "auto", "default": "standard_only"}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def request(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` for a Messages model; BadRequest names what has no counterpart there."""
    fields = Fields(body)
    sent: dict[str, Any] = {}
    fields.move(_SAME, sent)
    system, sent["messages"] = messages_turns.turns(fields.take_any("messages"))
    if system:
        sent["system"] = system
    _limits(fields, sent)
    _tools(fields, sent)
    _output(fields, sent)
    _caller(fields, sent)
    _stream(fields, sent)
    _continue(fields, sent)
    for name, values in _NEUTRAL.items():
        fields.only(name, values, _WHY)
    for name in _COST:
        fields.take(name, str)
    fields.end(_WHY)
    return sent


def _limits(fields: Fields, sent: dict[str, Any]) -> None:
    old, new = fields.take("max_tokens", int), fields.take("max_completion_tokens", int)
    if old is not None and new not in (None, old):
        refuse("max_tokens", "it says another limit than max_completion_tokens.")
    given = old if new is None else new
    sent["max_tokens"] = MAX_TOKENS if given is None else given
    temperature = fields.take("temperature", float)
    if temperature is not None:
        if not 0 <= temperature <= 1:
            refuse("temperature", f"an Anthropic model takes 0 to 1 (found {temperature}).")
        sent["temperature"] = temperature
    stop = fields.take_any("stop")
    if stop is not None:
        listed = [stop] if isinstance(stop, str) else stop
        sent["stop_sequences"] = [expect(item, str, at) for at, item in items(listed, "stop")]


def _caller(fields: Fields, sent: dict[str, Any]) -> None:
    tier = fields.only("service_tier", tuple(_TIERS), "an Anthropic model has auto and default")
    if tier is not None:
        sent["service_tier"] = _TIERS[tier]
    user, safety = fields.take("user", str), fields.take("safety_identifier", str)
    if user and safety and user != safety:
        refuse("user", "it is another than safety_identifier, and an Anthropic model takes one.")
    if user or safety:
        sent["metadata"] = {"user_id": user or safety}


def _stream(fields: Fields, sent: dict[str, Any]) -> None:
    stream = fields.take("stream", bool)
    if stream is not None:
        sent["stream"] = stream
    options = Fields(fields.take("stream_options", dict) or {}, "stream_options")
    options.take("include_usage", bool)  # the translated stream heeds it
    options.take("include_obfuscation", bool)  # padding of OpenAI's own events
    options.end(_WHY)


def _continue(fields: Fields, sent: dict[str, Any]) -> None:
    """An Anthropic model continues the assistant's last message; vLLM does when it is told to."""
    last = sent["messages"][-1]["role"] == "assistant"
    fields.only("continue_final_message", (last,), "an Anthropic model always continues it")
    fields.only("add_generation_prompt", (not last,), "an Anthropic model continues the last turn")


def _output(fields: Fields, sent: dict[str, Any]) -> None:
    config: dict[str, Any] = {}
    efforts = ("none", *EFFORTS)
    effort = fields.only("reasoning_effort", efforts, f"it is one of {', '.join(efforts)}")
    if effort is not None:
        if "thinking" in sent:
            refuse("reasoning_effort", "it says again what thinking says.")
        sent["thinking"] = {"type": "disabled" if effort == "none" else "adaptive"}
    if effort in EFFORTS:
        config["effort"] = effort
    if found := fields.take("response_format", dict):
        config |= _format(Fields(found, "response_format"))
    if config:
        sent["output_config"] = config


def _format(found: Fields) -> dict[str, Any]:
    kind = found.need("type", str)
    if kind == "text":
        found.end(_WHY)
        return {}
    if kind != "json_schema":
        refuse("response_format", "an Anthropic model takes text or json_schema.")
    named = Fields(found.need("json_schema", dict), found.at("json_schema"))
    schema = named.need("schema", dict)
    named.take("name", str)  # a label of the answer, which the Messages API does not have
    named.take("strict", bool)  # an Anthropic model always keeps to the schema
    if description := named.take("description", str):
        schema = _described(schema, description)
    named.end(_WHY)
    found.end(_WHY)
    return {"format": {"type": "json_schema", "schema": schema}}


def _described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    """``schema``, which also says of the answer what stood beside it."""
    own = schema.get("description")
    if isinstance(own, str) and own != description:
        description = f"{description}\n{own}"
    return schema | {"description": description}


def _tools(fields: Fields, sent: dict[str, Any]) -> None:
    tools = fields.take_any("tools")
    if tools:
        sent["tools"] = [_tool(Fields(tool, place)) for place, tool in items(tools, "tools")]
    choice = _choose(fields.take_any("tool_choice"))
    parallel = fields.take("parallel_tool_calls", bool)
    if parallel is False and tools and choice != {"type": "none"}:
        choice = (choice or {"type": "auto"}) | {"disable_parallel_tool_use": True}
    if choice:
        sent["tool_choice"] = choice


def _tool(tool: Fields) -> dict[str, Any]:
    tool.only("type", ("function",), _WHY)
    function = Fields(tool.need("function", dict), tool.at("function"))
    tool.end(_WHY)
    sent: dict[str, Any] = {"name": function.need("name", str)}
    function.move(("description", "strict"), sent)
    parameters = function.take("parameters", dict)
    sent["input_schema"] = parameters or {"type": "object", "properties": {}}
    function.end(_WHY)
    return sent


def _choose(choice: Any) -> dict[str, Any] | None:
    if choice is None:
        return None
    if isinstance(choice, dict):
        named = Fields(choice, "tool_choice")
        if named.take_any("type") == "function":
            function = Fields(named.take_any("function"), "tool_choice.function")
            named.end(_WHY)
            name = function.need("name", str)
            function.end(_WHY)
            return {"type": "tool", "name": name}
    elif isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    return refuse("tool_choice", "an Anthropic model takes auto, none, required or one function.")
