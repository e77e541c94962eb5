"""What a legacy completion says."""

from typing import Any

import pytest

from ai_gateway.errors import BadRequest, UpstreamError
from ai_gateway.formats import Usage
from ai_gateway.formats.completions import COMPLETIONS, Reader
from ai_gateway.guardrails.scene import Text


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"prompt": "a"}, ["a"]),
        ({"prompt": ["a", "b"], "suffix": "c"}, ["a", "b", "c"]),
        ({"prompt": None}, []),
        ({}, []),
    ],
)
def test_prompts_and_suffix_are_read(body: dict[str, Any], texts: list[str]) -> None:
    """One prompt or many, and what comes after the insertion."""
    assert COMPLETIONS.texts(body) == [Text(text, "input") for text in texts]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompt"),
        ({"prompt": {"a": "b"}}, "prompt"),
        ({"prompt": "a", "prompt_embeds": "AA=="}, "prompt_embeds"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused(body: dict[str, Any], param: str) -> None:
    """Token ids and embeddings would pass every guardrail unseen."""
    with pytest.raises(BadRequest) as refused:
        COMPLETIONS.texts(body)
    assert refused.value.param == param


def test_an_answer_is_read() -> None:
    """All choices' texts, the first one's end, the usage."""
    used = {"prompt_tokens": 1, "completion_tokens": 2}
    choices = [{"text": "a", "finish_reason": "stop"}, {"text": "b", "finish_reason": "length"}]
    found = COMPLETIONS.read({"choices": choices, "usage": used})
    assert (found.text, found.finish_reason) == ("a\nb", "stop")
    assert found.usage == Usage(input=1, output=2, raw=used)


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}]}, {"choices": ["a"]}])
def test_what_is_no_answer_is_an_error(body: dict[str, Any]) -> None:
    """A body without choices, or a choice without text, is the model's failure."""
    with pytest.raises(UpstreamError):
        COMPLETIONS.read(body)


def test_a_stream_is_read() -> None:
    """Texts are put together by choice; a chunk without choices may have the usage."""
    reader = Reader()
    for chunk in (
        {"choices": [{"index": 0, "text": "a"}, {"index": 1, "text": "x"}, "strange"]},
        {"choices": [{"index": 0, "text": "b", "finish_reason": "length"}]},
        {"choices": [{"index": 1, "text": "y", "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3}},
        {"choices": [], "usage": {}},
        {},
    ):
        reader.add(chunk)
    found = reader.reading()
    assert (found.text, found.finish_reason, found.usage.input) == ("ab\nxy", "length", 3)
