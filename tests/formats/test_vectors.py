"""What embeddings, rerankings, tensors and images say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.errors import BadRequest, UpstreamError
from ai_gateway.formats import Format, Usage
from ai_gateway.formats.embeddings import EMBEDDINGS
from ai_gateway.formats.images import IMAGES
from ai_gateway.formats.infer import INFER
from ai_gateway.formats.rerank import RANKING, RERANK

DOCUMENTS = [
    "b",
    {"text": "c", "title": "t"},
    {"content": [{"type": "text", "text": "d"}, {"type": "image_url", "image_url": {}}]},
    {"content": "e"},
    4,
]


@pytest.mark.parametrize(
    ("form", "body", "texts"),
    [
        (EMBEDDINGS, {"input": "a"}, ["a"]),
        (EMBEDDINGS, {"input": ["a", "b"], "input_type": "query"}, ["a", "b"]),
        (EMBEDDINGS, {"input": [[1, 2], [3]]}, []),
        (EMBEDDINGS, {"input": [1, 2]}, []),
        (EMBEDDINGS, {"messages": [{"role": "user", "content": "a"}]}, ["a"]),
        (EMBEDDINGS, {}, []),
        (RERANK, {"query": "a", "documents": DOCUMENTS}, ["a", "b", "c", "t", "d", "e"]),
        (RERANK, {"query": {"content": [{"type": "text", "text": "a"}]}}, ["a"]),
        (RERANK, {}, []),
        (RANKING, {"query": {"text": "a"}, "passages": [{"text": "b"}]}, ["a", "b"]),
        (INFER, {"inputs": [{"datatype": "BYTES", "data": [["a"], ["b", "c"]]}]}, ["a", "b", "c"]),
        (INFER, {"inputs": [{"datatype": "FP32", "data": [1.5]}]}, []),
        (
            INFER,
            {
                "inputs": [{"data": ["a"], "parameters": {"p": "b"}}],
                "parameters": {"q": {"r": "c"}},
            },
            ["a", "c", "b"],
        ),
        (IMAGES, {"prompt": "a"}, ["a"]),
        (IMAGES, {"prompt": 1}, []),
    ],
)
def test_the_texts_of_a_request(form: Format, body: dict[str, Any], texts: list[str]) -> None:
    """Every text is read in its order, in whatever shape the API takes it."""
    assert [text.text for text in form.texts(body)] == texts


def test_documents_are_retrieved_words() -> None:
    """A query is the caller's, the documents come from elsewhere."""
    found = RERANK.texts({"query": "a", "documents": ["b"]})
    assert [(text.text, text.stage) for text in found] == [("a", "input"), ("b", "tool")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "inputs"),
        ({"inputs": "a"}, "inputs"),
        ({"inputs": ["a"]}, "inputs.0.data"),
        ({"inputs": [{"data": []}, {"parameters": {"binary_data_size": 4}}]}, "inputs.1.data"),
    ],
)
def test_tensors_that_cannot_be_read_are_refused(body: dict[str, Any], param: str) -> None:
    """Data that is not in the JSON would pass every guardrail unseen."""
    with pytest.raises(BadRequest) as refused:
        INFER.texts(body)
    assert refused.value.param == param


EMBEDDED = {"prompt_tokens": 5, "total_tokens": 5}
DRAWN = {"input_tokens": 5, "output_tokens": 6}
BILLED = {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 7}}


@pytest.mark.parametrize(
    ("form", "body", "text", "usage"),
    [
        (EMBEDDINGS, {"data": [], "usage": EMBEDDED}, "", Usage(input=5, raw=EMBEDDED)),
        (RERANK, {"results": [], "usage": EMBEDDED}, "", Usage(input=5, raw=EMBEDDED)),
        (
            RERANK,
            {"results": [], "usage": {"total_tokens": 8}},
            "",
            Usage(input=8, raw={"total_tokens": 8}),
        ),
        (RERANK, {"results": [], "meta": BILLED}, "", Usage(input=7, raw=BILLED)),
        (RANKING, {"rankings": [{"index": 0, "logit": 1.0}]}, "", Usage()),
        (INFER, {"outputs": [{"data": [["a"], [1]]}, {"data": ["b"]}, "x"]}, "a\nb", Usage()),
        (
            IMAGES,
            {"data": [{"b64_json": "AA==", "revised_prompt": "a"}, {"url": "u"}], "usage": DRAWN},
            "a",
            Usage(input=5, output=6, raw=DRAWN),
        ),
    ],
)
def test_the_reading_of_an_answer(
    form: Format, body: dict[str, Any], text: str, usage: Usage
) -> None:
    """What an answer says in words, and what it used."""
    found = form.read(body)
    assert (found.text, found.usage) == (text, usage)


@pytest.mark.parametrize("form", [EMBEDDINGS, RERANK, RANKING, INFER, IMAGES])
def test_what_is_no_answer_is_an_error(form: Format) -> None:
    """An answer without what the API is for is the model's failure."""
    with pytest.raises(UpstreamError):
        form.read({"error": "no such model"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "content", "data", "type"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["input", "query", "documents", "passages", "inputs", "outputs", "data", "usage", "meta"]
)


@given(st.sampled_from([EMBEDDINGS, RERANK, RANKING, INFER, IMAGES]), st.dictionaries(NAMES, JSON))
def test_no_json_breaks_the_reading(form: Format, body: dict[str, Any]) -> None:
    """Whatever is sent or answered is read, or refused as what it is not."""
    for read, refusal in ((form.texts, BadRequest), (form.read, UpstreamError)):
        try:
            found = bool(read(body) is not None)
        except refusal:
            found = True
        assert found
