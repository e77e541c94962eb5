"""Streams that wait for what is safe: cut anywhere, what comes out is the same."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.answer.guarded import HOLD, Guarded
from ai_gateway.answer.record import Attempt, Decision
from ai_gateway.answer.restored import Restored
from ai_gateway.answer.vault import Vault, masked
from ai_gateway.errors import PolicyViolation
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.inspection import Inspection
from ai_gateway.guardrails.policy import Policy, Streaming
from ai_gateway.guardrails.scene import Text
from tests.answer.test_record import EVENT

ORIGINALS = {"Ada": "name", "ada@example.org": "email"}
CUTS = st.lists(st.integers(1, 9), min_size=1)


class Source:
    """A stream of chat chunks with the pieces of two choices, thoughts among them."""

    def __init__(self, text: str, cuts: list[int], *, key: str = "content") -> None:
        self.closed = False
        self.chunks: list[dict[str, Any]] = []
        at = number = 0
        while at < len(text):
            size = cuts[number % len(cuts)]
            delta = {key: text[at : at + size]}
            self.chunks.append({"choices": [{"index": number % 1, "delta": delta}]})
            at, number = at + size, number + 1
        self.chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})

    def __iter__(self):
        return iter(self.chunks)

    def close(self) -> None:
        """Nothing to let go of."""
        self.closed = True


def said(chunks, key: str = "content") -> str:
    """What the chunks say."""
    return "".join(chunk["choices"][0]["delta"].get(key, "") for chunk in chunks)


@given(
    st.lists(st.sampled_from([*ORIGINALS, "[", "]", "[NAME_9]", "[NA", " and ", "x" * 30])), CUTS
)
def test_words_come_back_however_the_stream_is_cut(parts, cuts) -> None:
    """As in an answer in one piece; no event is lost, and none overtakes another."""
    vault = Vault()
    for original, kind in ORIGINALS.items():
        vault.put(original, kind.upper())
    text = "".join(parts)
    hidden = text.replace("Ada", "[NAME_1]").replace("ada@example.org", "[EMAIL_1]")
    source = Source(hidden, cuts)
    chunks = list(Restored(source, vault))
    assert said(chunks) == vault.restored(hidden, escaped=False)
    assert len(chunks) == len(source.chunks)
    assert said(source.chunks) == hidden  # a cache may keep what came in


POLICY = {
    "version": 1,
    "name": "p",
    "checks": [
        {
            "name": "secret",
            "type": "phrases",
            "stages": ["output"],
            "action": "redact",
            "phrases": ["blue moon", "red"],
        },
        {
            "name": "never",
            "type": "phrases",
            "stages": ["output"],
            "action": "block",
            "phrases": ["green sky"],
        },
    ],
}
GUARDRAILS = Guardrails([Policy.model_validate(POLICY)])


class Plain:
    """A guard of one policy, and what it was told."""

    redacts = True

    def __init__(self, text: str) -> None:
        self.text = text

    def look(self, text: Text) -> Inspection:
        """As the real one looks at a part."""
        return GUARDRAILS.inspect([text], None, weigh=False)

    def refuse(self, found: Inspection) -> None:
        """As the real one refuses."""
        if found.action == "block":
            raise PolicyViolation("no")

    def whole(self, text: str, strings: list[str]) -> Inspection:
        """The check of all of it."""
        assert strings == [self.text] or not self.text
        found = self.look(Text(self.text, "output"))
        self.refuse(found)
        return found

    def spare(self, found: Inspection, settled: set[str]) -> None:
        """As the real one, where nothing stands apart."""
        assert {each.text[each.start : each.end] for each in found.redactions} <= settled


def guarded(text: str, cuts: list[int], streaming: Streaming, over: Callable[[Decision], None]):
    """A guarded stream of ``text``."""
    decision = Decision(EVENT, attempts=[Attempt("m")])
    return Guarded(Source(text, cuts), Plain(text), streaming, decision, over)


WORDS = st.lists(
    st.sampled_from(["blue", "moon", "red", "green", "grey", "sky", "words and more words"]),
    max_size=60,
)


@settings(deadline=None)
@given(WORDS, CUTS, st.sampled_from([1, 7, 50]), st.sampled_from([60, 400]))
def test_a_stream_says_what_the_whole_would(words, cuts, window, overlap) -> None:
    """Redacted and refused alike, however it is cut and whatever its windows are."""
    text = " ".join(words)
    overs: list[Decision] = []
    stream = guarded(text, cuts, Streaming(window=window, overlap=overlap), overs.append)
    refused = "green sky" in text
    chunks = []
    try:
        for chunk in stream:
            chunks.append(chunk)  # noqa: PERF402 - what came before the error counts
    except PolicyViolation:
        assert refused
        assert "green sky" not in said(chunks)
    else:
        assert not refused
        whole = GUARDRAILS.inspect([Text(text, "output")], None)
        assert said(chunks) == masked(text, whole.redactions)
    assert not {"blue moon", "red"} & set(said(chunks).split())
    assert "blue moon" not in said(chunks)
    assert len(overs) == 1


def test_a_window_costs_no_more_for_what_came_before() -> None:
    """What is looked at is the window and its overlap, not all of the answer."""
    looked = []

    class Counting(Plain):
        redacts = False

        def look(self, text: Text) -> Inspection:
            looked.append(len(text.text))
            return super().look(text)

    text = "words and more " * 1_000
    decision = Decision(EVENT, attempts=[Attempt("m")])
    streaming = Streaming(window=50, overlap=100)
    assert len(list(Guarded(Source(text, [5]), Counting(text), streaming, decision, id))) > 1
    *windows, _ = looked
    assert max(windows) <= 100 + 50 + 5
    assert sum(windows) < 4 * len(text)


def test_what_the_whole_does_not_show_refuses_nothing() -> None:
    """A window is confirmed on all that has come, and not for each of them anew."""
    looked = []

    class Hasty(Plain):
        redacts = False

        def look(self, text: Text) -> Inspection:
            looked.append(len(text.text))
            whole = text.text.startswith("First")
            return Inspection() if whole else Inspection(action="block")

    text = f"First {'words and more ' * 400}"
    decision = Decision(EVENT, attempts=[Attempt("m")])
    stream = Guarded(Source(text, [5]), Hasty(text), Streaming(), decision, id)
    assert said(stream) == text
    assert 5 < len([size for size in looked if size >= 600]) < 20


def test_a_failure_that_nobody_foresaw_lets_go_of_the_model() -> None:
    """Before the first event as well; the row is written by who began it."""

    class Broken(Plain):
        def look(self, text: Text) -> Inspection:
            raise ZeroDivisionError

    source = Source("some words", [3])
    decision = Decision(EVENT, attempts=[Attempt("m")])
    stream = Guarded(source, Broken("some words"), Streaming(window=1), decision, id)
    with pytest.raises(ZeroDivisionError):
        stream.begin()
    assert source.closed


class Events:
    """A stream, and how much of it was taken."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = events
        self.taken = 0

    def __iter__(self):
        for event in self.events:
            self.taken += 1
            yield event

    def close(self) -> None:
        """Nothing to let go of."""


class Lax(Plain):
    """A guard that leaves the whole to others."""

    def __init__(self, *, redacts: bool = True, guardrails: Guardrails = GUARDRAILS) -> None:
        self.redacts = redacts
        self.guardrails = guardrails

    def look(self, text: Text) -> Inspection:
        """As the real one looks at a part."""
        return self.guardrails.inspect([text], None, weigh=False)

    def whole(self, text: str, strings: list[str]) -> Inspection:
        """Let pass."""
        return Inspection()


def delta(text: str, key: str = "content") -> dict[str, Any]:
    """A chunk of chat."""
    return {"choices": [{"index": 0, "delta": {key: text}}]}


def written(text: str) -> dict[str, Any]:
    """A delta of the Responses API."""
    kind = "response.output_text.delta"
    return {"type": kind, "output_index": 0, "content_index": 0, "delta": text}


def checked(events: Events, guard: Plain, **streaming: Any) -> Guarded:
    """A guarded stream of events."""
    decision = Decision(EVENT, attempts=[Attempt("m")])
    return Guarded(events, guard, Streaming(**streaming), decision, id)


MORE = ["abcde "] * 200


@pytest.mark.parametrize(
    "first",
    [
        [delta("a thought ", "reasoning_content")] * 20,
        [{"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "name": "look_up"}]}}]}],
        [{"type": "response.created", "response": {"tool_choice": "auto"}}],
    ],
)
def test_a_string_that_is_over_holds_nothing_back(first) -> None:
    """What a thought ends with waits no longer once the answer goes on."""
    more = map(written if "type" in first[0] else delta, MORE)
    events = Events([*first, *more])
    stream = iter(checked(events, Lax()))
    for _ in first:
        next(stream)
    assert events.taken < len(first) + 40


def test_a_bracket_before_a_tool_call_holds_nothing_back() -> None:
    """A placeholder that has begun and does not go on is none."""
    vault = Vault()
    vault.put("Ada", "NAME")
    events = Events([delta("see ["), *(delta(text, "arguments") for text in MORE)])
    next(iter(Restored(events, vault)))
    assert events.taken < 20


def test_what_a_request_said_comes_back_in_events_too() -> None:
    """The Responses API repeats instructions and metadata, the Messages API a stop sequence."""
    vault = Vault()
    vault.put("Ada", "NAME")
    response = {"instructions": "Be [NAME_1]", "metadata": {"of": "[NAME_1]"}}
    events = Events(
        [
            {"type": "response.created", "response": response},
            {"type": "message_delta", "delta": {"stop_sequence": "[NAME_1]"}},
        ]
    )
    assert "[NAME_1]" not in str(list(Restored(events, vault)))


def test_a_block_begins_with_its_first_piece() -> None:
    """What its start and its deltas say is one text."""
    events = [
        {"type": "content_block_start", "index": 0, "content_block": {"text": "green "}},
        {"type": "content_block_delta", "index": 0, "delta": {"text": "sky and more"}},
    ]
    with pytest.raises(PolicyViolation):
        list(checked(Events(events), Lax()))


@pytest.mark.parametrize("overlap", [0, 10, 400])
def test_half_a_word_is_not_redacted(overlap) -> None:
    """A window that begins in the middle of a word says what the word does not."""
    text = "unblue moon and unred words, " * 30
    assert said(guarded(text, [3], Streaming(window=7, overlap=overlap), id)) == text


def test_a_false_alarm_lets_nothing_else_pass() -> None:
    """Half a word at a window's edge is not what the rest of the answer hides behind."""
    text = f"{'ungreen sky, ' * 300}green sky {'and more ' * 50}"
    events = Events([delta(text[at : at + 3]) for at in range(0, len(text), 3)])
    left: list[dict[str, Any]] = []
    with pytest.raises(PolicyViolation):
        left.extend(checked(events, Lax(redacts=False), window=7))
    assert " green sky" not in said(left)


RUN = {
    "name": "run",
    "type": "patterns",
    "stages": ["output"],
    "action": "redact",
    "patterns": [{"name": "x", "regex": "x+"}],
}
RUNS = Guardrails([Policy.model_validate({**POLICY, "checks": [RUN]})])


@pytest.mark.parametrize("buffer", ["windows", "full"])
@pytest.mark.parametrize(("piece", "guardrails"), [("xxxxx", RUNS), ("red is ", GUARDRAILS)])
def test_a_long_stream_costs_no_square_of_its_length(buffer, piece, guardrails) -> None:
    """Neither what goes on and on, nor thousands of places, nor an answer that is held back."""
    looked = []

    class Counting(Lax):
        def look(self, text: Text) -> Inspection:
            looked.append(len(text.text))
            return super().look(text)

    events = Events([delta(piece) for _ in range(4_000)])
    chunks = list(checked(events, Counting(guardrails=guardrails), buffer=buffer))
    assert len(chunks) == len(events.events)
    assert not {"red", "xxxxx"} & set(said(chunks).split())
    assert sum(looked) < 20 * len(piece) * len(chunks)


def test_what_may_yet_be_redacted_waits() -> None:
    """At most so many characters, where a policy redacts."""
    text = "words and more " * 40
    stream = iter(guarded(text, [5], Streaming(window=10), id))
    first = [next(stream) for _ in range(10)]
    assert said(first) == text[:50]
    assert HOLD == 80


@pytest.mark.parametrize("ends", ["end", "left"])
def test_it_is_written_once(ends) -> None:
    """Whether it ends, or its caller leaves, or both."""
    overs: list[Decision] = []
    stream = guarded("some words", [3], Streaming(window=1), overs.append)
    iterator = iter(stream)
    if ends == "end":
        list(iterator)
    stream.close()
    stream.close()
    assert len(overs) == 1
