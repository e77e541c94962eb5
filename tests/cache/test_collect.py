"""A stream that passed is put together to the answer that a whole reply would have been."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.cache import collect
from ai_gateway.cache.collect import Collector
from ai_gateway.cache.replay import replay
from tests.cache.test_replay import ANSWERS, ASKED, CHAT_ANSWER, COMPLETION, MESSAGE


def collected(name, chunks):
    """What a collector makes of them; they are left as they were."""
    collector, chunks = Collector(name), list(chunks)
    before = copy.deepcopy(chunks)
    for chunk in chunks:
        collector.add(chunk)
    answer = collector.answer()
    assert chunks == before
    return answer


@pytest.mark.parametrize("name", ANSWERS)
def test_a_replayed_answer_comes_back(name) -> None:
    """To the last key."""
    assert collected(name, replay(ANSWERS[name], name, ASKED)) == ANSWERS[name]


TEXT = st.text(min_size=1, max_size=600)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text(min_size=1, max_size=5),
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": TEXT, "arguments": st.text(max_size=600)}),
        }
    ),
    min_size=1,
    max_size=3,
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.none() | TEXT},
        optional={"reasoning_content": TEXT, "reasoning": TEXT, "tool_calls": CALLS},
    )
)
def test_any_chat_message_comes_back(message) -> None:
    """Text, reasoning and parallel tool calls."""
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    answer = {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}
    assert collected("chat", replay(answer, "chat", {})) == answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
BLOCKS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=600))
    | st.builds(
        lambda said, sign: {"type": "thinking", "thinking": said, "signature": sign}, TEXT, TEXT
    )
    | st.builds(
        lambda value: {"type": "tool_use", "id": "t", "name": "f", "input": value},
        st.dictionaries(st.text(max_size=5), JSON),
    )
)


@settings(deadline=None)
@given(BLOCKS)
def test_any_message_of_blocks_comes_back(content) -> None:
    """Text, thinking with its signature, and tools with any input."""
    usage = {"input_tokens": 1, "output_tokens": 2}
    answer = {"id": "1", "type": "message", "role": "assistant", "content": content}
    answer |= {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    assert collected("messages", replay(answer, "messages", {})) == answer


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_without_its_end_amounts_to_nothing(name) -> None:
    """However far it came."""
    answer = dict(ANSWERS[name])
    if name == "completions":
        answer["choices"] = answer["choices"][:1]
    chunks = list(replay(answer, name, {}))
    for length in range(len(chunks)):
        assert collected(name, chunks[:length]) is None


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        ("chat", {"choices": [{"delta": {"audio": {"data": "..."}}}]}),
        ("chat", {"choices": [{"delta": {"content": ["a", "b"]}}]}),
        ("chat", {"choices": [None]}),
        ("chat", {"choices": [{"delta": {}, "logprobs": 1}]}),
        ("chat", {"choices": [{"delta": {"tool_calls": [{"function": "f"}]}}]}),
        ("completions", {"choices": [{"text": 1}]}),
        ("messages", {"type": "error", "error": {}}),
        ("messages", {"type": "content_block_delta", "index": 7, "delta": {"type": "new_delta"}}),
        ("messages", {"type": "content_block_delta", "index": 7, "delta": {}}),
        ("responses", {"type": "response.completed"}),
        ("embeddings", {}),
    ],
)
def test_what_is_not_known_is_not_kept(name, chunk) -> None:
    """A miss is the worst that comes of it; it never raises."""
    chunks = [*(replay(ANSWERS[name], name, ASKED) if name in ANSWERS else ()), chunk]
    assert collected(name, [chunk, *chunks]) is None


def test_tools_whose_input_is_cut_are_not_kept() -> None:
    """Their JSON does not close."""
    chunks = [dict(chunk) for chunk in replay(MESSAGE, "messages", {})]
    short = [
        chunk
        for chunk in chunks
        if not chunk.get("delta", {}).get("partial_json", "").endswith("}")
    ]
    cut = {"type": "input_json_delta", "partial_json": '{"a": '}
    short.insert(-2, {"type": "content_block_delta", "index": 4, "delta": cut})
    assert collected("messages", short) is None


def test_tools_whose_input_would_be_rounded_are_not_kept() -> None:
    """No store keeps an integer beyond 64 bits as it is."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"id": 2**64}}
    chunks = list(replay({**MESSAGE, "content": [block]}, "messages", {}))
    assert any(str(2**64) in str(chunk) for chunk in chunks)
    assert collected("messages", chunks) is None


def test_pings_and_pieces_of_log_probabilities_are_understood() -> None:
    """Lists go on from chunk to chunk; null says nothing."""
    pinged = [{"type": "ping"}, *replay(MESSAGE, "messages", {})]
    assert collected("messages", pinged) == MESSAGE
    tokens = [{"tokens": [token], "text_offset": None} for token in ("a", "b")]
    chunks = [{"choices": [{"index": 0, "text": "a", "logprobs": part}]} for part in tokens]
    chunks.append({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
    (choice,) = collected("completions", chunks)["choices"]
    assert choice["logprobs"] == {"tokens": ["a", "b"], "text_offset": None}


def test_size_is_bounded() -> None:
    """What would not be kept is not held either: by its characters, and by its events."""
    long = {**COMPLETION, "choices": [{**COMPLETION["choices"][0], "text": "x" * 1_000_001}]}
    assert collected("completions", replay(long, "completions", {})) is None
    chunk = {"choices": [{"index": 0, "delta": {"content": ""}}]}
    assert collected("chat", [chunk] * (collect.MAX_EVENTS + 1)) is None
    assert collected("chat", replay(CHAT_ANSWER, "chat", ASKED)) is not None
