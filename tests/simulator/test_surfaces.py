"""Completions, embeddings, ranking, images, audio and tensors, and which endpoint has which."""

import base64
import io
import json
import struct
import wave
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.simulator import conversation, endpoints, media, service
from ai_gateway.simulator.embeddings import vector
from ai_gateway.simulator.endpoints import ENDPOINTS
from tests.simulator.conftest import Client, events

PAIRS = [{"text": "cats and dogs"}, {"text": "blue whales sing"}]


def test_endpoints_name_a_base_for_every_kind() -> None:
    """Every endpoint has a base URL, those beside the Inference Service too."""
    found = endpoints("http://host")
    assert set(found) == {*ENDPOINTS, "anthropic", "azure"}
    assert found["classifier"] == "http://host/namespaces/serving-default/endpoints/classifier/v2"
    assert found["anthropic"] == "http://host/anthropic/v1"


def test_every_path_of_an_endpoint_is_in_the_table() -> None:
    """What an endpoint says that it has, the table has."""
    known = {path for _, path in service.ROUTES}
    assert all(path in known for endpoint in ENDPOINTS.values() for path in endpoint.paths)


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [("embedder", "/chat/completions"), ("model-a", "/embeddings"), ("classifier", "/models")],
)
def test_an_endpoint_has_its_own_paths_only(shared: Client, endpoint: str, path: str) -> None:
    """A model server does not know the paths of other kinds of models."""
    reply = shared.send(path, endpoint, messages=[{"role": "user", "content": "Hi"}])
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("model-a", "/chat/completions"),
        ("model-a", "/completions"),
        ("model-a", "/responses"),
        ("model-a", "/messages"),
        ("model-a", "/messages/count_tokens"),
        ("embedder", "/embeddings"),
        ("ranker", "/rerank"),
        ("ranker", "/ranking"),
        ("media", "/images/generations"),
        ("media", "/audio/speech"),
        ("media", "/audio/transcriptions"),
        ("classifier", "/models/classifier/infer"),
    ],
)
def test_nothing_but_a_model_is_refused(shared: Client, endpoint: str, path: str) -> None:
    """A body without its main field is a 400, and says so in the API's own shape."""
    body = shared.send(path, endpoint)
    assert body.status_code == 400
    assert "error" in body.json()


def test_one_model(shared: Client) -> None:
    """A model is found by its id, which may hold a slash; another is a 404."""
    base = shared.bases["model-a"]
    assert shared.http.get(f"{base}/models/simulated/model-a").json()["object"] == "model"
    assert shared.http.get(f"{base}/models/simulated/other").status_code == 404


def test_request_ids(shared: Client) -> None:
    """Every reply has a request id, the same for the same request."""
    first, again, other = (shared.ask(text).headers["x-request-id"] for text in ("a", "a", "b"))
    assert first == again != other
    assert first.startswith("req_")


@pytest.mark.parametrize(
    ("prompt", "count"),
    [("What is DNA?", 1), (["What is DNA?", "Hi"], 2), ([1, 2], 1), ([[1, 2], [3]], 2)],
)
def test_completions(shared: Client, prompt: object, count: int) -> None:
    """Each prompt, texts or token ids, has its choices; 16 tokens unless more are asked for."""
    reply = shared.send("/completions", prompt=prompt, logprobs=1).json()
    assert reply["object"] == "text_completion"
    assert [choice["index"] for choice in reply["choices"]] == list(range(count))
    first = reply["choices"][0]
    assert first["finish_reason"] == "length"
    assert "".join(first["logprobs"]["tokens"]) == first["text"]
    assert len(first["logprobs"]["text_offset"]) == 16
    assert reply["usage"]["completion_tokens"] == 16 * count


def test_streamed_completions(shared: Client) -> None:
    """The chunks' texts are the plain answer; usage comes last when asked for."""
    fields = {"prompt": "What is DNA?", "max_tokens": 500, "stop": "."}
    plain = shared.send("/completions", **fields).json()["choices"][0]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(shared.send("/completions", **fields, **options))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == plain["text"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"][0]["stop_reason"] == "."
    assert usage["usage"]["completion_tokens"] == len(chunks) - 1
    assert done == "data: [DONE]"
    assert events(shared.send("/completions", **fields, stream=True))[-2] == chunks[-1] | {
        "id": chunks[-1]["id"]
    }


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/completions", {"prompt": "Hi", "max_tokens": 131_072}),
        ("/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 131_072}),
        ("/responses", {"input": "Hi", "max_output_tokens": 131_072}),
    ],
)
def test_the_context_is_limited(shared: Client, path: str, fields: dict[str, object]) -> None:
    """Prompt and answer together must have room, in every API."""
    reply = shared.send(path, **fields)
    assert reply.status_code == 400
    assert "maximum context length" in reply.json()["error"]["message"]


def test_similar_texts_are_close(shared: Client) -> None:
    """Vectors have the length one; the same words are nearer than others."""
    texts = ["What is a hash table?", "Explain the hash tables", "How tall is the Eiffel Tower?"]
    reply = shared.send("/embeddings", "embedder", input=texts, input_type="query").json()
    first, near, far = (row["embedding"] for row in reply["data"])
    assert sum(value * value for value in first) == pytest.approx(1)
    dot = [sum(a * b for a, b in zip(first, other, strict=True)) for other in (near, far)]
    assert dot[0] > 0.7
    assert dot[1] < 0.4
    assert reply["usage"] == {"prompt_tokens": 17, "total_tokens": 17}


def test_embeddings_as_base64(shared: Client) -> None:
    """The packed vector is that of the floats, in the dimensions asked for."""
    plain, packed = (
        shared.send(
            "/embeddings", "embedder", input="hello", dimensions=8, encoding_format=form
        ).json()["data"][0]["embedding"]
        for form in ("float", "base64")
    )
    assert struct.unpack("<8f", base64.b64decode(packed)) == pytest.approx(plain)


@given(st.text(), st.integers(1, 512))
def test_any_text_has_a_vector(said: str, dimensions: int) -> None:
    """Whatever the text, empty or without meaning, it has a finite vector of that size."""
    found = vector(said, dimensions)
    assert len(found) == dimensions
    assert sum(value * value for value in found) == pytest.approx(1) or not any(found)


def test_rerank(shared: Client) -> None:
    """The most relevant documents come first, as many as wanted."""
    fields = {"query": "whales", "documents": ["cats", PAIRS[1], "whales whales"], "top_n": 2}
    reply = shared.send("/rerank", "ranker", **fields).json()
    assert [row["index"] for row in reply["results"]] == [1, 2]
    assert reply["results"][0] == {
        "index": 1,
        "document": {"text": "blue whales sing"},
        "relevance_score": 1.0,
    }


def test_ranking(shared: Client) -> None:
    """NIM ranks all passages by logit."""
    fields = {"query": {"text": "whales"}, "passages": PAIRS, "truncate": "END"}
    reply = shared.send("/ranking", "ranker", **fields).json()
    assert reply["rankings"] == [{"index": 1, "logit": 5.0}, {"index": 0, "logit": -5.0}]


def test_images(shared: Client) -> None:
    """Each picture is a PNG of eight by eight pixels, of the same colour for the same prompt."""
    reply = shared.send("/images/generations", "media", prompt="a cat", n=2).json()
    first, second = (base64.b64decode(row["b64_json"]) for row in reply["data"])
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", first[16:24]) == (8, 8)
    start = first.index(b"IDAT") + 4
    assert len(zlib.decompress(first[start:-16])) == 8 * (1 + 3 * 8)
    assert first != second


def test_speech(shared: Client) -> None:
    """Speech is a WAV of a tenth of a second."""
    reply = shared.send("/audio/speech", "media", input="hello", voice="alloy")
    assert reply.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(reply.content)) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (8000, 800)


@pytest.mark.parametrize("response_format", ["json", "text"])
def test_transcriptions(shared: Client, response_format: str) -> None:
    """The answer names the file and its size in bytes."""
    reply = shared.http.post(
        shared.bases["media"] + "/audio/transcriptions",
        data={"model": "simulated/media", "response_format": response_format},
        files={"file": ("a.wav", b"\r\n\0\xff\r123\n")},
    )
    said = reply.text if response_format == "text" else reply.json()["text"]
    assert said == "The file a.wav has 9 bytes."


PICTURE = ("a.png", b"12345678")


@pytest.mark.parametrize(
    ("path", "name"), [("edits", "image"), ("edits", "image[]"), ("variations", "image")]
)
def test_pictures_of_pictures(shared: Client, path: str, name: str) -> None:
    """A form with a picture gets a picture."""
    form = {"model": "simulated/media", "prompt": "redder"}
    url = f"{shared.bases['media']}/images/{path}"
    reply = shared.http.post(url, data=form, files={name: PICTURE})
    assert base64.b64decode(reply.json()["data"][0]["b64_json"]).startswith(b"\x89PNG")
    refused = shared.http.post(url, data=form, files={"other": PICTURE})
    assert (refused.status_code, "image" in refused.text) == (400, True)


def test_pictures_as_they_become_clear(shared: Client) -> None:
    """A streamed picture comes in part and then whole, under named events."""
    fields = {"prompt": "a cat", "stream": True}
    events = shared.send("/images/generations", "media", **fields).text.split("\n\n")
    assert [event.split("\n")[0] for event in events if event] == [
        "event: image_generation.partial_image",
        "event: image_generation.completed",
    ]


def test_words_as_they_are_heard(shared: Client) -> None:
    """A streamed transcription comes word by word, and then whole."""
    reply = shared.http.post(
        shared.bases["media"] + "/audio/transcriptions",
        data={"model": "simulated/media", "stream": "true"},
        files={"file": ("a.wav", b"123")},
    )
    *events, done, end = [part[6:] for part in reply.text.split("\n\n") if part]
    assert "".join(json.loads(event)["delta"] for event in events).strip() == (
        "The file a.wav has 3 bytes."
    )
    assert (json.loads(done)["type"], end) == ("transcript.text.done", "[DONE]")


@given(st.binary(max_size=200), st.text("abc", min_size=1))
def test_forms_are_read_byte_for_byte(data: bytes, value: str) -> None:
    """Whatever a file holds, its size is counted exactly."""
    head = b'--XX\r\ncontent-disposition: form-data; name="'
    body = (
        head + b'file"; filename="f"\r\n\r\n' + data + b"\r\n"
        + head + b'model"\r\n\r\n' + value.encode() + b"\r\n--XX--\r\n"
    )  # fmt: skip
    found = media.form("multipart/form-data; boundary=XX", body)
    assert found["model"] == value
    assert found["file"] == media.Upload("f", len(data))


@pytest.mark.parametrize("body", [b"", b"--XX\r\n\r\nno name\r\n--XX--"])
def test_a_form_without_fields_is_refused(shared: Client, body: bytes) -> None:
    """A form that holds nothing known is a 400 like any body without a model."""
    reply = shared.http.post(
        shared.bases["media"] + "/audio/transcriptions",
        content=body,
        headers={"content-type": "multipart/form-data" + ("; boundary=XX" if body else "")},
    )
    assert reply.status_code == 400


def test_tensors(shared: Client) -> None:
    """Each row has a label and two probabilities; the id comes back."""
    tensor = {"name": "input", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4]]}
    reply = shared.send("/models/classifier/infer", "classifier", id="7", inputs=[tensor]).json()
    assert (reply["id"], reply["model_name"]) == ("7", "classifier")
    words = {"name": "input", "datatype": "BYTES", "shape": [1, 2], "data": ["a", "b"]}
    said = shared.send("/models/classifier/infer", "classifier", inputs=[words]).json()["outputs"]
    assert said[-1]["data"] == ["You said: a", "You said: b"]
    label, probabilities = reply["outputs"]
    assert (label["shape"], probabilities["shape"]) == ([2, 1], [2, 2])
    low, high = probabilities["data"][:2]
    assert low + high == pytest.approx(1)
    assert label["data"][0] == int(high > low)
    flat = {**tensor, "data": [1, 2, 3, 4]}
    named = shared.send(
        "/models/classifier/infer", "classifier", inputs=[flat], outputs=[{"name": "label"}]
    ).json()
    assert named["outputs"] == [label]
    assert "id" not in named


TENSOR: dict[str, Any] = {"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [TENSOR, TENSOR]},
        {"inputs": [{**TENSOR, "name": "x"}]},
        {"inputs": [{**TENSOR, "datatype": "FP99"}]},
        {"inputs": [{**TENSOR, "shape": [2]}]},
        {"inputs": [{**TENSOR, "shape": [1, -2]}]},
        {"inputs": [{**TENSOR, "data": "x"}]},
        {"inputs": [{**TENSOR, "data": [1]}]},
        {"inputs": [TENSOR], "outputs": ["label"]},
    ],
)
def test_wrong_tensors_are_refused(shared: Client, body: dict[str, object]) -> None:
    """What does not fit the model is a 400 with Triton's plain error."""
    reply = shared.send("/models/classifier/infer", "classifier", **body)
    assert reply.status_code == 400
    assert isinstance(reply.json()["error"], str)


def test_what_triton_says_of_models(shared: Client) -> None:
    """Metadata, readiness and health; an unknown model is a 404 everywhere."""
    base = shared.bases["classifier"]
    assert shared.http.get(f"{base}/models/classifier").json()["inputs"][0]["name"] == "input"
    for path in ("/models/classifier/ready", "/health/ready", "/health/live"):
        reply = shared.http.get(base + path)
        assert (reply.status_code, reply.content) == (200, b"")
    for path in ("/models/x", "/models/x/ready"):
        assert shared.http.get(base + path).status_code == 404
    assert shared.send("/models/x/infer", "classifier", inputs=[TENSOR]).status_code == 404
    assert shared.send("/models/x/infer", "classifier").status_code == 404


AZURE = "/deployments/model-a/chat/completions"


@pytest.mark.parametrize(
    ("key", "query", "status"),
    [
        ("k", "?api-version=2024-10-21", 200),
        ("k", "", 404),
        ("", "?api-version=2024-10-21", 401),
        ("expired", "?api-version=2024-10-21", 401),
    ],
)
def test_azure(shared: Client, key: str, query: str, status: int) -> None:
    """A deployment needs its key's header and a version, and no model in the body."""
    reply = shared.http.post(
        shared.bases["azure"] + AZURE + query,
        json={"messages": [{"role": "user", "content": "Hi"}]},
        headers={"api-key": key},
    )
    assert reply.status_code == status
    assert "error" in reply.json() or reply.json()["model"] == "simulated/model-a"


def test_azure_knows_deployments_only(shared: Client) -> None:
    """Another deployment is not there."""
    url = shared.bases["azure"] + AZURE.replace("model-a", "x") + "?api-version=1"
    assert shared.http.post(url, json={}).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": "Hi [[simulate status=418]]"}]},
        {"messages": ["x", {"role": "user", "content": None}], "prompt": "[[simulate status=418]]"},
        {"input": "Hi [[simulate status=418]]"},
        {"input": ["a", "b [[simulate status=418]]"]},
        {"input": [{"type": "message", "content": "[[simulate status=418]]"}, {"role": "system"}]},
        {"prompt": ["[[simulate status=418]]", 3]},
        {"query": {"text": "whales [[simulate status=418]]"}},
    ],
)
def test_directives_stand_in_every_api(fields: dict[str, object]) -> None:
    """Wherever an API has the user's words, a directive at their end is one."""
    assert conversation.directive(fields) == "status=418"
