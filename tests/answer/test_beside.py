"""What a caller gets to see of an answer beside its text is put together for the guardrails."""

from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.answer.beside import beside, strings_of


def test_what_is_in_the_text_is_not_told_twice() -> None:
    """Of a whole answer what is left is the reasoning, a citation and what nobody knows."""
    message = {
        "role": "assistant",
        "content": "It is a policy gradient method.",
        "reasoning_content": "Let me think.",
        "annotations": [{"type": "url_citation", "title": "A page"}],
        "new_key": {"deep": ["said"]},
    }
    answer = {"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "message": message}]}
    found = beside(strings_of([answer]), "It is a policy gradient method.").split("\n")
    assert sorted(found) == ["A page", "Let me think.", "said"]


@given(st.lists(st.text("xyz ", min_size=1), min_size=1), st.lists(st.text("abc ", min_size=1)))
def test_pieces_of_a_stream_are_put_together_by_their_place(mine, other) -> None:
    """Two thoughts whose pieces alternate are two texts, as chat and as Anthropic's events."""
    chat, anthropic = [], []
    for number in range(max(len(mine), len(other))):
        for index, pieces in enumerate((mine, other)):
            if number < len(pieces):
                delta = {"reasoning_content": pieces[number]}
                chat.append({"id": "c", "choices": [{"index": index, "delta": delta}]})
                delta = {"type": "thinking_delta", "thinking": pieces[number]}
                event = {"type": "content_block_delta", "index": index, "delta": delta}
                anthropic.append(event)
    whole = {"".join(pieces) for pieces in (mine, other) if pieces}
    assert set(beside(strings_of(chat), "").split("\n")) == whole
    assert set(beside(strings_of(anthropic), "").split("\n")) == whole


def test_what_a_request_said_is_not_held_against_its_answer() -> None:
    """The Responses API repeats instructions and tools; ids and encoded bytes say nothing."""
    response = {
        "instructions": "never say xyzzy",
        "tools": [{"description": "xyzzy"}],
        "output": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "xyzzy"}],
    }
    assert not beside(strings_of([{"type": "response.created", "response": response}]), "")


def test_no_depth_is_too_deep() -> None:
    """A value that nests as deep as a parser lets it is read to its end."""
    deep: object = "said"
    for _ in range(1024):
        deep = [deep]
    assert beside(strings_of([{"new": deep}]), "") == "said"
