"""What the two models say: model-a knows its facts well, model-b is shallow and partly wrong."""

from __future__ import annotations

from ai_gateway.simulator import text
from ai_gateway.simulator.facts import Fact, find

_OPENERS = ("", "In short: ", "Here is the essence. ", "Let me explain. ")
_STEPS = (
    "Begin with “{}”: say what it covers here, what it leaves out, and who is affected by it.",
    "For “{}”, list two or three concrete options and compare their cost, risk and benefit.",
    "Then relate “{}” to the goal, and name one example that supports it and one that does not.",
    "Check “{}” against a primary source, since small differences change the conclusion.",
    "Describe how you would measure “{}”, for instance by a number before and after a change.",
    "Write a first draft about “{}” in 5 sentences, then cut whatever does not serve the reader.",
)
_CLOSINGS = (
    "Last, note which assumptions the result rests on and what evidence would overturn it.",
    "Finally, let somebody who knows the subject review the result before you rely on it.",
    "At the end, state how certain each part is, so that readers can weigh it.",
)
_VAGUE = (
    "It is used in various ways.",
    "There is a lot more that could be said.",
    "Maybe it depends on the situation.",
    "Many people find it useful for different things.",
)
_SHRUGS = (
    "It depends. I think {0} could be many things, and maybe there is no single answer.",
    "I am not sure about {0}. Perhaps it varies, and it probably depends on the case.",
    "That is a broad topic. {0} might be seen in various ways, I guess.",
)


def careful(question: str, *key: object) -> str:
    """model-a: nearly all points of a known fact, else a plan made from the question's words."""
    fact = find(question)
    return _full(fact, *key) if fact else _plan(question, *key)


def shallow(question: str, *key: object) -> str:
    """model-b: one point of a known fact and often a false statement, else a shrug."""
    fact = find(question)
    return _sketch(fact, *key) if fact else _shrug(question, *key)


def _full(fact: Fact, *key: object) -> str:
    points = list(fact.points)
    left_out = text.number("left out", *key) % (2 * len(points))
    if 0 < left_out < len(points):
        del points[left_out]
    opener = text.draw(_OPENERS, "opener", *key)
    if text.draw((True, False), "list", *key):
        return opener + points[0] + "\n\n" + "\n".join(f"- {point}" for point in points[1:])
    return opener + " ".join(points)


def _sketch(fact: Fact, *key: object) -> str:
    first = fact.points[text.number("point", *key) % 2]
    second = text.draw((*(fact.wrong,) * len(_VAGUE), *_VAGUE), "second", *key)
    return f"{first} {second}"


def _plan(question: str, *key: object) -> str:
    # The longest words say most; they are taken up in the order of the question.
    chosen = text.keywords(question)
    longest = sorted(chosen, key=len, reverse=True)[:4]
    topics = [word for word in chosen if word in longest] or ["the question"]
    gist = " ".join(question.split()[:14]) or "nothing"
    first = text.number("step", *key)
    steps = [
        f"{n}. {_STEPS[(first + n) % len(_STEPS)].format(word)}"
        for n, word in enumerate(topics, start=1)
    ]
    opener = f"I hold no checked facts on “{gist}”, so here is how I would work it out:"
    return "\n".join([opener, *steps, text.draw(_CLOSINGS, "closing", *key)])


def _shrug(question: str, *key: object) -> str:
    topic = " ".join(text.keywords(question)[:2]) or "this"
    return text.draw(_SHRUGS, "shrug", *key).format(topic)
