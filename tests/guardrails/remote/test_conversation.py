"""What a model is shown leaves out nothing that it is to judge."""

from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.formats.chat import texts
from ai_gateway.guardrails.remote.conversation import cut, exchanges, together, turns, windows
from ai_gateway.guardrails.scene import Scene
from tests.guardrails.remote.asked import scene


@given(st.text(min_size=1), st.integers(8, 50), st.integers(0, 1_000_000))
def test_windows_hold_every_stretch_of_the_text(text, room, seed) -> None:
    """What is no longer than the overlap stands whole in one of them, wherever it stands."""
    found = windows(text, room)
    assert all(len(part) <= room for part in found)
    start = seed % len(text)
    stretch = text[start : start + max(1, room // 8)]
    assert not text.strip() or any(stretch in part for part in found)


def test_each_text_is_shown_once() -> None:
    """Readers of a request give some texts twice, in pieces and whole."""
    assert together(scene(None, input=["a", "b", "a"], tool="c"), "input", "tool") == "a\nb\nc"


def test_a_cut_keeps_both_ends() -> None:
    """Short texts stay as they are."""
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abc" + "x" * 100 + "def", 6) == "abc\n[...]\ndef"


def test_an_answer_is_shown_with_its_request() -> None:
    """The request may be cut, the answer may not: it comes in parts."""
    around = scene(None, input="q" * 100, output="a" * 100, system="s", tool="t")
    assert exchanges(around, "input", 200) == [("q" * 100, None)]
    assert exchanges(around, "system", 200) == [("s", None)]
    assert exchanges(around, "output", 200) == [("q" * 100, "a" * 100)]
    parts = exchanges(around, "output", 60)
    assert len({question for question, _ in parts}) == 1
    assert len(parts[0][0]) < 60
    assert len("".join(answer or "" for _, answer in parts)) >= 100


def conversation(*messages, **more) -> list:
    """The turns of a chat request, with the texts that its format reads from it."""
    request = {"messages": [{"role": role, "content": said} for role, said in messages], **more}
    return turns(Scene(texts(request), request))


def test_turns_keep_their_order_and_roles() -> None:
    """Whatever a content is made of; one who speaks twice has one turn."""
    parts = [{"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "x"}}]
    found = conversation(
        ("system", "s"), ("user", "a"), ("assistant", parts), ("user", "c"), ("user", "d")
    )
    assert found == [("user", "a"), ("assistant", "b"), ("user", "c\nd")]


def test_the_last_turn_is_the_callers() -> None:
    """An answer that a caller begins for the model is the caller's word."""
    assert conversation(("user", "a"), ("assistant", "b")) == [("user", "a\nb")]
    assert conversation(("assistant", "b")) == [("user", "b")]
    assert conversation() == []


def test_what_is_part_of_no_message_comes_first() -> None:
    """A text that stands elsewhere in a request is shown all the same."""
    request = {"messages": [{"role": "user", "content": "a"}]}
    around = scene(None, request, input=["a", "hidden"])
    assert turns(around) == [("user", "hidden\na")]
    assert turns(scene(None, {"inputs": "a"}, input="a")) == [("user", "a")]


def test_turns_of_other_apis() -> None:
    """Responses have their items under ``input``; what is no message is passed over."""
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "function_call", "name": "f"},
        {"role": "assistant", "content": ["b"]},
        "c",
        {"role": ["user"], "content": "d"},
        {"role": "user", "content": "e"},
    ]
    around = scene(None, {"input": items}, input=["a", "b", "e"])
    assert turns(around) == [("user", "a"), ("assistant", "b"), ("user", "e")]
