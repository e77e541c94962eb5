"""What a model answers to a conversation: text, reasoning, tool calls, and why it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, cycle, islice

import orjson

from ai_gateway.simulator import text
from ai_gateway.simulator.conversation import Conversation, Tool
from ai_gateway.simulator.endpoints import Endpoint
from ai_gateway.simulator.faults import Fault
from ai_gateway.simulator.samples import sample

_FRAGMENT = 8  # characters of arguments in a piece of a stream
_ENOUGH = 2  # words that a question and a tool's description share
_JSON = re.compile(r"\{.*\}", re.DOTALL)
#: Verbs and forms in a tool's name that say nothing of what it is for.
_FILLERS = frozenset(text.stems("get set fetch read find search call run use tool function"))


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call. ``number`` makes its id; ``arguments`` is JSON."""

    number: int
    name: str
    arguments: str

    @property
    def fragments(self) -> list[str]:
        """The arguments as a stream has them."""
        return [
            self.arguments[at : at + _FRAGMENT] for at in range(0, len(self.arguments), _FRAGMENT)
        ]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in tokens.

    ``finish`` is stop, length or tool_calls; ``stop`` the stop sequence that ended it, if one did.
    """

    tokens: tuple[str, ...]
    finish: str
    reasoning: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    stop: str | None = None

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(self.tokens)

    @property
    def thought(self) -> str:
        """What the model said to itself before."""
        return "".join(self.reasoning)

    @property
    def used(self) -> int:
        """How many tokens it cost."""
        calls = sum(text.count_tokens(f"{call.name} {call.arguments}") for call in self.calls)
        return len(self.tokens) + len(self.reasoning) + calls


def answer(asked: Conversation, endpoint: Endpoint, fault: Fault, *key: object) -> Answer:
    """The answer that follows from the conversation, the directive and ``key``."""
    thought = _reasoning(asked) if fault.reasoning else ""
    calls = () if fault.say is not None else tuple(_calls(asked, *key))
    if calls:
        return Answer((), "tool_calls", tuple(text.pieces(thought)), calls)
    said = _said(asked, endpoint, fault, *key)
    if fault.reasoning == "think":
        return _limited("", f"<think>\n{thought}\n</think>\n\n{said}", asked, fault)
    return _limited(thought, said, asked, fault)


def _limited(thought: str, said: str, asked: Conversation, fault: Fault) -> Answer:
    ends = [(at, stop) for stop in asked.stops if (at := said.find(stop)) >= 0]
    end, stop = min(ends, default=(None, None))
    reasoning, tokens = text.pieces(thought), text.pieces(said[:end])
    if fault.tokens:
        tokens = list(islice(chain(tokens, cycle(text.pieces(f" {said}"))), fault.tokens))
    if asked.limit and len(reasoning) + len(tokens) > asked.limit:
        room = max(0, asked.limit - len(reasoning))
        return Answer(tuple(tokens[:room]), "length", tuple(reasoning[: asked.limit]))
    return Answer(tuple(tokens), "stop", tuple(reasoning), stop=stop)


def _said(asked: Conversation, endpoint: Endpoint, fault: Fault, *key: object) -> str:
    if fault.say is not None:
        return fault.say
    said = endpoint.speak(endpoint.hear(asked), *key)
    if asked.schema is not None:
        return _structured(said, asked, *key)
    if asked.results:
        return f"The result is: {'; '.join(asked.results)}."
    return f"I see {asked.images} images. {said}" if asked.images else said


def _structured(said: str, asked: Conversation, *key: object) -> str:
    """The JSON that the model says of itself, as a judge does, else a value made to the schema."""
    found = _JSON.search(said)
    with suppress(json.JSONDecodeError):
        if found and isinstance(json.loads(found[0]), dict):
            return found[0]
    about = " ".join((asked.question, *asked.results))
    return orjson.dumps(sample(asked.schema or {}, about, *key)).decode()


def _reasoning(asked: Conversation) -> str:
    topic = ", ".join(text.keywords(asked.question)[:3]) or "nothing in particular"
    return f"The user asks about {topic}. I recall what I know, then I answer in order."


def _calls(asked: Conversation, *key: object) -> Iterator[Call]:
    for index, tool in enumerate(_chosen(asked)):
        arguments = sample(tool.schema, asked.question, *key, index)
        number = text.number("call", *key, index)
        yield Call(number, tool.name, orjson.dumps(arguments).decode())


def _chosen(asked: Conversation) -> tuple[Tool, ...]:
    """The tools to call: the one that was named, those the question is for, or none."""
    if asked.choice == "none" or (asked.choice == "auto" and asked.results):
        return ()
    fitting = tuple(tool for tool in asked.tools if tool.name == asked.choice)
    if not fitting:
        fitting = tuple(tool for tool in asked.tools if _fits(tool, asked.question))
    if not fitting and asked.choice == "required":
        fitting = asked.tools[:1]
    return fitting if asked.parallel else fitting[:1]


def _fits(tool: Tool, question: str) -> bool:
    """Whether the question mentions the tool, a word of its name, or two of its description."""
    if tool.name.casefold() in question.casefold():
        return True
    asked = text.subject(question)
    name = text.subject(re.sub(r"[_\-.]|(?<=[a-z])(?=[A-Z])", " ", tool.name)) - _FILLERS
    return bool(name & asked) or len(text.subject(tool.description) & asked) >= _ENOUGH
