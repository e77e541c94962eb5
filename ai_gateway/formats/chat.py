"""OpenAI's chat completions, as NIM, vLLM and most others speak them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage
from ai_gateway.formats.definitions import below, definitions
from ai_gateway.formats.said import strings, unescaped, worded
from ai_gateway.guardrails.scene import Text

#: Keys of a message's parts and calls of which no model reads a text: names of the API's own,
#: references, encoded pictures and sound.
_UNSAID = frozenset(
    (
        *("annotations", "audio", "audio_url", "cache_control", "data", "detail", "file"),
        *("file_id", "format", "id", "image_embeds", "image_url", "index", "input_audio"),
        *("signature", "type", "url", "uuid", "video_url"),
    )
)
#: Keys of a message that hold a reference.
_REFERENCES = _UNSAID | {"tool_call_id"}
#: Templates print a role as it stands, and vLLM takes any.
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_UNSAYING: Final = "The model answered with a choice without a message"
#: The keys of a message that says one thing.
_PLAIN = {"role", "content"}
#: How providers and engines end an answer that their model could not finish.
_BROKEN = ("abort", "error", "insufficient_system_resource", "network_error")
#: Whose words are of another stage than ``input``.
STAGES: Final = {"system": "system", "developer": "system", "tool": "tool", "function": "tool"}
#: Keys of a request that ``texts`` reads, and that hold numbers or names of the API's own.
_KNOWN = frozenset(
    (
        *("audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens"),
        *("max_tokens", "messages", "metadata", "min_p", "modalities", "model", "n"),
        *("parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key"),
        *("reasoning_effort", "repetition_penalty", "safety_identifier", "seed", "service_tier"),
        *("stop", "store", "stream", "stream_options", "temperature", "tool_choice"),
        *("top_k", "top_logprobs", "top_p", "user", "verbosity"),
    )
)


def texts(body: Body) -> list[Text]:
    """What every message says, under keys that are not known here too.

    A tool's own words are of stage ``tool``, the application's of stage ``system``.
    """
    said = []
    for message in body["messages"]:
        stage = _stage(message)
        said += [Text(text, stage) for text in _said(message)]
    if "prediction" in body:  # the answer as the caller expects it, which a model repeats
        said += [Text(text, "input") for text in parts(below(body, "prediction", "content"))]
    return said


def _stage(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return STAGES.get(role, "input") if isinstance(role, str) else "input"


def _said(message: object) -> Sequence[str]:
    """What a message of a request says, in pieces and as one."""
    if isinstance(message, dict) and message.keys() == _PLAIN:
        content = message["content"]
        # Nearly all are such.
        if isinstance(content, str) and message["role"] in _ROLES and "\\" not in content:
            return (content,)
    return _whole(list(_asked(message)))


def _asked(message: object) -> Iterator[str]:
    """What a message of a request says: content, calls, and what was thought before."""
    if not isinstance(message, dict):
        yield from strings(message)
        return
    content = message.get("content")
    if isinstance(content, str):
        yield content
    else:
        yield from strings(content, _UNSAID)
    for key, value in message.items():
        if key in _REFERENCES:
            yield from worded(value)
        elif key != "content" and not (key == "role" and value in _ROLES):
            yield from strings(value, _UNSAID)


def _whole(pieces: list[str]) -> list[str]:
    """The pieces of one message, all of them as one, and what escapes in them hide.

    A model reads what pieces say together, and a server may unpack arguments that are JSON.
    """
    hidden = [text for piece in pieces if "\\" in piece for text in unescaped(piece)]
    together = ["".join(pieces)] if len(pieces) > 1 else []
    return [*pieces, *together, *hidden] if hidden or together else pieces


def _message(message: Body) -> Iterator[str]:
    yield from parts(message.get("content"))
    if isinstance(message.get("refusal"), str):
        yield message["refusal"]
    yield from _arguments(message)


def parts(content: object) -> Iterator[str]:
    """The texts of a message's content: a string, or parts of which some hold text."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            found = part.get("text") or part.get("refusal") if isinstance(part, dict) else part
            if isinstance(found, str):
                yield found


def _arguments(message: Body) -> Iterator[str]:
    calls = listed(message, "tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    for function in (*functions, message.get("function_call")):
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            yield function["arguments"]


def listed(found: Body, name: str) -> list[Any]:
    """The list under ``name``; a server that sends something else there says nothing by it."""
    value = found.get(name)
    return value if isinstance(value, list) else []


def read(body: Body) -> Reading:
    """All choices' texts and tool arguments; the first choice's end."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise UpstreamError("The model answered without choices.")
    messages = [message for choice in choices if (message := _answer(choice)) is not None]
    if not messages:
        raise UpstreamError(f"{_UNSAYING}: the provider's content filter acted.")
    return Reading(
        text="\n".join(text for message in messages for text in _message(message)),
        finish_reason=ended(choices[0]),
        usage=usage(body.get("usage")),
    )


def answered(body: Body) -> Body:
    """The first choice that has a message, of a body that was ``read``."""
    return next(choice for choice in body["choices"] if _answer(choice) is not None)


def _answer(choice: object) -> Body | None:
    """A choice's message; None where the provider's content filter left none."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        if isinstance(choice, dict) and choice.get("finish_reason") == "content_filter":
            return None
        raise UpstreamError(f"{_UNSAYING}.")
    content = message.get("content")
    if content is not None and not isinstance(content, (str, list)):
        raise UpstreamError("The model answered with content that is no text.")
    return message


def usage(found: object) -> Usage:
    """Tokens as chat completions count them."""
    if not isinstance(found, dict):
        return Usage()
    return Usage(
        input=count(found, "prompt_tokens"),
        output=count(found, "completion_tokens"),
        cached=count(found.get("prompt_tokens_details"), "cached_tokens"),
        reasoning=count(found.get("completion_tokens_details"), "reasoning_tokens"),
        raw=found,
    )


def latest(before: Usage, found: object) -> Usage:
    """A stream's usage so far: what ``found`` counts, or ``before`` where it counts nothing."""
    counted = usage(found)
    told = counted.input is not None or counted.output is not None
    return counted if told or before.raw is None else before


def count(found: object, name: str) -> int | None:
    """A number of tokens that could be one, at most what 63 bits hold."""
    # A dict is told at a third of the price of any Mapping, and counts are read at every request.
    value = found.get(name) if isinstance(found, (dict, Mapping)) else None
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if right else None


def ended(choice: Body) -> str | None:
    """Why a choice ended; None where it goes on, which some servers write as no word."""
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else None


def unbroken(reason: object) -> None:
    """Raise UpstreamError where a choice ended because its model could not go on."""
    if reason in _BROKEN:
        raise UpstreamError(f"The model broke off its answer ({reason}).")


class Ends:
    """How a stream's choices end, each for itself."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: dict[int, str | None] = {}

    def add(self, index: int | None, choice: Body) -> None:
        """One chunk's part of a choice; one without an index is the first."""
        index = index or 0
        self._ends[index] = self._ends.get(index) or ended(choice)

    @property
    def first(self) -> str | None:
        """The first choice's end, once all that have begun have ended."""
        ends = self._ends.values()
        return next(iter(ends), None) if all(ends) else None


class Reader:
    """Puts a stream's deltas together."""

    def __init__(self) -> None:
        self._texts: dict[tuple[Any, ...], list[str]] = {}
        self._ends = Ends()
        self._usage = Usage()

    def add(self, chunk: Body) -> None:
        """One ``chat.completion.chunk``."""
        if chunk.get("usage"):
            self._usage = latest(self._usage, chunk["usage"])
        for choice in listed(chunk, "choices"):
            if isinstance(choice, dict):
                self._add(choice)

    def _add(self, choice: Body) -> None:
        index, delta = count(choice, "index"), choice.get("delta")
        self._ends.add(index, choice)
        if not isinstance(delta, dict):
            return
        for name in ("content", "refusal"):
            said = delta.get(name)
            if isinstance(said, str):
                self._texts.setdefault((index, name), []).append(said)
            elif isinstance(said, list):  # Mistral's reasoning models send parts
                self._texts.setdefault((index, name), []).extend(parts(said))
        for call in listed(delta, "tool_calls"):
            for text in _arguments({"tool_calls": [call]}):
                self._texts.setdefault((index, "tool", count(call, "index")), []).append(text)

    def reading(self) -> Reading:
        """What was said so far."""
        said = ("".join(pieces) for pieces in self._texts.values())
        return Reading("\n".join(text for text in said if text), self._ends.first, self._usage)


def says(chunk: Body) -> bool:
    """Whether a chunk brings anything of an answer, or its end: a role or usage alone does not."""
    return any(map(_says, listed(chunk, "choices")))


def _says(choice: object) -> bool:
    if not isinstance(choice, dict):
        return False
    delta = choice.get("delta")
    said = delta.items() if isinstance(delta, dict) else ()
    return bool(choice.get("finish_reason")) or any(value for key, value in said if key != "role")


def defined(body: Body) -> list[Text]:
    """Tools, the form of the answer, and whatever else a model's server may read."""
    return definitions(body, _KNOWN)


CHAT = Format(
    name="chat",
    path="/chat/completions",
    texts=texts,
    read=read,
    reader=Reader,
    says=says,
    definitions=defined,
)
