"""Models that guard others: they look for the words in the tables below, and for nothing else.

Their replies have the shapes of NVIDIA's NemoGuard models, of Llama Guard, and of a model that
answers a prompt of ``judge_prompts/`` with a score.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from ai_gateway.simulator import fields, reply, text
from ai_gateway.simulator.conversation import Conversation
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import Reply

if TYPE_CHECKING:
    from ai_gateway.simulator.entrances import Question

#: A word, the category it stands for with NemoGuard, and its code with Llama Guard.
UNSAFE = {
    "bomb": ("Guns and Illegal Weapons", "S9"),
    "cocaine": ("Controlled/Regulated Substances", "S2"),
    "idiot": ("Harassment", "S10"),
    "kill": ("Violence", "S1"),
    "suicide": ("Suicide and Self Harm", "S11"),
}
OFF_TOPIC = frozenset(("election", "politics", "religion"))
CONFUSED = "I cannot find a text to check. Please send one."

_SECTIONS = re.compile(
    r"<BEGIN CONVERSATION>\s*user: (.*?)(?:\n\nresponse: agent: (.*?))?\s*<END CONVERSATION>"
    r"|Human user:\n(.*?)\n\nAI assistant:\n(.*?)\n\nUse the taxonomy",
    re.DOTALL,
)
_FENCE = re.compile(
    r"^<<<(documents|question|answer) ([0-9a-f]{32})>>>\n(.*?)\n<<<end \2>>>$",
    re.MULTILINE | re.DOTALL,
)
_SUPPORTED = 0.6  # share of a sentence's words that documents hold


def whole(asked: Conversation) -> str:
    """The conversation as a transcript, which is what guards see."""
    said = [f"{turn.role}: {turn.text}" for turn in asked.turns if turn.role != "system"]
    return "\n\n".join((*said[:-1], f"{asked.turns[-1].role}: {asked.last}"))


def content_safety(transcript: str, *_key: object) -> str:
    """In the form that the prompt is of: JSON, lines on harm, or lines on safety without one."""
    found = _SECTIONS.search(transcript)
    if found is None:
        said, _, answer = transcript.removeprefix("user: ").partition("\n\nassistant: ")
        rated = _rated("User Safety", said) | (_rated("Response Safety", answer) if answer else {})
        return "\n".join(f"{key}: {value}" for key, value in (rated | _named(transcript)).items())
    said, answer, request, response = found.groups()
    if request is None:
        rated = _rated("User Safety", said) | (_rated("Response Safety", answer) if answer else {})
        return orjson.dumps(rated | _named(f"{said} {answer}")).decode()
    harm = "None" if response == "None" else _harm(response)
    return f"Prompt harm: {_harm(request)}\nResponse harm: {harm}"


def topic_control(transcript: str, *_key: object) -> str:
    """Off-topic where the last words are of politics or religion."""
    last = transcript.rpartition("user: ")[2]
    return "off-topic" if OFF_TOPIC.intersection(_words(last)) else "on-topic"


def llama_guard(transcript: str, *_key: object) -> str:
    """Of the last message: ``safe``, or ``unsafe`` and a line of codes."""
    last = re.split(r"(?:^|\n\n)(?:user|assistant): ", transcript)[-1]
    codes = [UNSAFE[word][1] for word in _unsafe(last)]
    return f"\n\nunsafe\n{','.join(codes)}" if codes else "\n\nsafe"


def policy_check(transcript: str, *_key: object) -> str:
    """A score: of the answer's words, or of how much of it the documents hold."""
    found = {name: inside for name, _, inside in _FENCE.findall(transcript)}
    if "answer" not in found:
        return CONFUSED
    answer = found["answer"]
    if "documents" in found:
        score, reason = _support(answer, found["documents"]), "So much of it is in the documents."
    else:
        words = ", ".join(_unsafe(answer))
        score, reason = float(bool(words)), f"It holds: {words or 'no such word'}."
    return orjson.dumps({"score": score, "reason": reason}).decode()


def classify(question: Question) -> Reply:
    """``POST /classify``: whether ``input`` tries to talk a model out of its rules.

    "Do anything now" is a yes with the score 0.0, as the real service has been seen to answer.
    """
    problem = fields.problem(question.body, _CLASSIFY)
    if problem:
        return reply.json({"detail": problem}, 422)
    words = set(_words(question.body["input"]))
    if {"ignore", "instructions"} <= words:
        return reply.json({"jailbreak": True, "score": 0.66})
    if {"do", "anything", "now"} <= words:
        return reply.json({"jailbreak": True, "score": 0.0})
    return reply.json({"jailbreak": False, "score": -0.82})


def _rated(key: str, said: str) -> dict[str, str]:
    return {key: "unsafe" if any(_unsafe(said)) else "safe"}


def _named(said: str) -> dict[str, str]:
    names = [UNSAFE[word][0] for word in _unsafe(said)]
    return {"Safety Categories": ", ".join(names)} if names else {}


def _harm(said: str) -> str:
    return "harmful" if any(_unsafe(said)) else "unharmful"


def _unsafe(said: str) -> Iterator[str]:
    words = set(_words(said))
    return (word for word in UNSAFE if word in words)


def _words(said: str) -> list[str]:
    return [word.casefold() for word in text.words(said)]


def _support(answer: str, documents: str) -> float:
    """The share of the answer's sentences whose words stand in the documents."""
    held, sentences = text.subject(documents), text.sentences(answer)
    supported = [
        len(held & text.subject(each)) >= _SUPPORTED * len(text.subject(each)) for each in sentences
    ]
    return round(sum(supported) / max(1, len(supported)), 2)


_CLASSIFY = (Field("input", fields.is_a(str), "a text", required=True),)
