"""Any path of a model's API: what goes out, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import BadRequest, UpstreamError, UpstreamRefused
from ai_gateway.formats import File
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Reply, Upstreams
from tests.upstream.fake import FakeUpstream, reply, streamed

VECTOR = {"object": "list", "data": [{"embedding": [0.5]}]}


@pytest.fixture
def send(upstream: FakeUpstream, upstreams: Upstreams) -> Callable[..., Reply]:
    """Send a body to the scripted upstream, with fields of the Model as ``model``."""

    def call(path: str, body: Any, model: Any = None, **options: Any) -> Reply:
        fields = {"url": upstream.url, "model_id": "meta/llama", **(model or {})}
        end = SystemClock().monotonic() + 5
        return upstreams.send(Model.model_validate(fields), path, body, end, **options)

    return call


@pytest.mark.parametrize(
    "path",
    ["/chat/completions", "/embeddings", "/rerank", "/ranking", "/images/generations", "/x/y"],
)
def test_paths(send: Any, upstream: FakeUpstream, path: str) -> None:
    """A body goes to its path, under the endpoint's name of the model; JSON comes back parsed."""
    upstream.script(reply(VECTOR, headers={"x-request-id": "r1"}))
    found = send(path, {"model": "mine", "input": ["a"], "stream": True, "top_k": 1})
    assert (found.status, found.body, found.request_id) == (200, VECTOR, "r1")
    assert 0 < found.first_byte_ms <= found.latency_ms
    assert found.headers["content-type"] == "application/json"
    (got,) = upstream.requests
    assert got.target == f"/v1{path}"
    assert got.json() == {"model": "meta/llama", "input": ["a"], "top_k": 1}
    assert got.headers["accept"] == got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/embeddings", "/ranking/"])
def test_full_urls(send: Any, upstream: FakeUpstream, end: str) -> None:
    """A URL that names an API's path serves the other paths too, and keeps its query."""
    for path in ("/embeddings", "/rerank"):
        upstream.script(reply(VECTOR))
        send(path, {}, {"url": f"{upstream.url}{end}?v=1"})
        assert upstream.requests[-1].target == f"/v1{path}?v=1"


def test_many_paths_are_remembered_within_a_bound(send: Any, upstreams: Upstreams) -> None:
    """Paths without end do not grow memory without end."""
    endpoint = upstreams._endpoint(Model(url="http://models.test/v1", model_id="m"))
    for number in range(250):
        assert str(endpoint.below(f"/{number}")) == f"http://models.test/v1/{number}"
    assert len(endpoint._below) <= 100


@pytest.mark.parametrize(
    ("path", "asked", "sent"),
    [
        ("/completions", {}, {"max_tokens": 100}),
        ("/completions", {"max_tokens": 500}, {"max_tokens": 100}),
        ("/responses", {}, {"max_output_tokens": 100}),
        ("/responses", {"max_output_tokens": 7}, {"max_output_tokens": 7}),
        ("/messages", {"max_tokens": 500}, {"max_tokens": 100}),
        ("/embeddings", {}, {}),
        ("/messages/count_tokens", {}, {}),
    ],
)
def test_the_limit_of_tokens(send: Any, upstream: FakeUpstream, path: str, asked: Any, sent: Any):
    """max_output_tokens holds under each generating API's own name of it, and nowhere else."""
    upstream.script(reply(VECTOR))
    send(path, asked, {"max_output_tokens": 100})
    assert upstream.requests[0].json() == {"model": "meta/llama", **sent}


@pytest.mark.parametrize(
    ("path", "asked", "sent"),
    [
        ("/chat/completions", {"max_tokens": 7}, {"max_completion_tokens": 7}),
        ("/chat/completions", {"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        (
            "/chat/completions",
            {"max_completion_tokens": 7, "max_tokens": 9},
            {"max_completion_tokens": 7},
        ),
        ("/chat/completions", {}, {}),
        ("/completions", {"max_tokens": 7}, {"max_tokens": 7}),
        ("/embeddings", {"max_tokens": 7}, {"max_tokens": 7}),
    ],
)
def test_the_name_of_the_limit(send: Any, upstream: FakeUpstream, path: str, asked: Any, sent: Any):
    """A model that takes one name only gets it, whichever the caller or a translation used."""
    upstream.script(reply(VECTOR), reply(VECTOR))
    named = {"token_limit": "max_completion_tokens"}
    send(path, asked, named)
    assert upstream.requests[0].json() == {"model": "meta/llama", **sent}
    send("/chat/completions", {}, {**named, "max_output_tokens": 5})
    assert upstream.requests[1].json() == {"model": "meta/llama", "max_completion_tokens": 5}


def test_files_go_and_bytes_come(send: Any, upstream: FakeUpstream) -> None:
    """A form has the endpoint's own name of the model and the files as they are; so comes sound."""
    upstream.script(reply(b"RIFF\xff", 200, None, "audio/wav"))
    file = File("file", "a.wav", "audio/x-wav", b"\xff--b")
    body = {"model": "auto", "prompt": "hi", "file": file.described(), "include[]": ["a", "b"]}
    assert send("/audio/transcriptions", body, files=[file]).body == b"RIFF\xff"
    (got,) = upstream.requests
    kind, _, boundary = got.headers["content-type"].partition("; boundary=")
    assert (kind, got.headers["accept"]) == ("multipart/form-data", "*/*")
    parts = got.body.split(b"--" + boundary.encode())[1:-1]
    sent = [part.strip(b"\r\n").split(b"\r\n\r\n", 1) for part in parts]
    disposition = b"Content-Disposition: form-data; name="
    assert sent == [
        [disposition + b'"model"', b"meta/llama"],
        [disposition + b'"prompt"', b"hi"],
        [disposition + b'"include[]"', b"a"],
        [disposition + b'"include[]"', b"b"],
        [
            disposition + b'"file"; filename="a.wav"\r\nContent-Type: audio/x-wav',
            b"\xff--b",
        ],
    ]


def test_json_of_an_audio_path_is_parsed(send: Any, upstream: FakeUpstream) -> None:
    """A transcription is JSON or plain text, as its type says."""
    upstream.script(reply({"text": "hi"}), reply(b"hi", 200, None, "text/plain"))
    assert send("/audio/transcriptions", {}).body == {"text": "hi"}
    assert send("/audio/transcriptions", {}).body == b"hi"


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/audio/speech", reply(b"<html>", 200, None, "text/html"), "HTML page"),
        ("/audio/speech", reply({"error": {"message": "m", "code": 400}}), "It said: m"),
        ("/audio/speech", reply(b"[1]"), "no object"),
        ("/embeddings", reply(b"vector", 200, None, "text/plain"), "JSON was due"),
        ("/embeddings", reply(b"", 204), "empty body"),
        ("/embeddings", reply({"type": "error", "error": {"message": "m"}}), "It said: m"),
        ("/embeddings", reply([{"error": {"code": 400, "message": "m"}}]), "It said: m"),
        ("/chat/completions", streamed(b"data: {}\n\n"), "JSON was due"),
    ],
)
def test_no_answer(send: Any, upstream: FakeUpstream, path: str, answer: bytes, said: str) -> None:
    """What is no answer on its path is one clear error."""
    upstream.script(answer)
    with pytest.raises(UpstreamError, match=said):
        send(path, {})


def test_the_callers_headers(send: Any, upstream: FakeUpstream) -> None:
    """Headers pass, but for credentials, and what is the gateway's own or of one hop."""
    given = [
        ("OpenAI-Beta", "x=1"),
        ("Authorization", "Bearer caller"),
        ("x-api-key", "caller"),
        ("Content-Type", "text/plain"),
        ("anthropic-version", "1999"),
        ("transfer-encoding", "chunked"),
    ]
    send("/chat/completions", {}, {"credentials": {"token": "ours"}}, headers=given)
    headers = upstream.requests[0].headers
    assert headers["openai-beta"] == "x=1"
    assert headers["authorization"] == "Bearer ours"
    assert headers["content-type"] == "application/json"
    assert not {"x-api-key", "anthropic-version", "transfer-encoding"} & set(headers)


def test_a_header_that_is_none(send: Any, upstream: FakeUpstream) -> None:
    """A header that would end the line is the caller's error, and nothing is sent."""
    with pytest.raises(BadRequest, match="cannot be passed on"):
        send("/chat/completions", {}, headers=[("x", "a\r\nb: c")])
    assert upstream.requests == []


def test_anthropics_headers(send: Any, upstream: FakeUpstream) -> None:
    """Anthropic gets its key in its own header, and the version of its API."""
    upstream.script(reply({"type": "message", "content": []}))
    model = {"dialect": "anthropic", "credentials": {"token": "ours"}}
    send("/messages", {"max_tokens": 5}, model)
    (got,) = upstream.requests
    assert got.target == "/v1/messages"
    assert got.headers["x-api-key"] == "ours"
    assert got.headers["anthropic-version"] == "2023-06-01"
    assert not {"anthropic-beta", "authorization"} & set(got.headers)


def test_anthropics_key_as_a_bearer_token(send: Any, upstream: FakeUpstream) -> None:
    """A proxy that speaks Anthropic's dialect may want its token as others do."""
    upstream.script(reply({"type": "message", "content": []}))
    spec = {"token": "ours", "header": "Authorization"}
    send("/messages", {}, {"dialect": "anthropic", "credentials": spec})
    (got,) = upstream.requests
    assert got.headers["authorization"] == "Bearer ours"
    assert "x-api-key" not in got.headers


def test_the_callers_version_and_features(send: Any, upstream: FakeUpstream) -> None:
    """A caller of Anthropic's own API says himself which version and features he means."""
    given = [("Anthropic-Version", "2026-10-21"), ("anthropic-beta", "context-1m-2025-08-07, b.2")]
    send("/messages", {}, {"dialect": "anthropic"}, headers=given)
    (got,) = upstream.requests
    assert got.headers["anthropic-version"] == "2026-10-21"
    assert got.headers["anthropic-beta"] == "context-1m-2025-08-07,b.2"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("anthropic-version", "latest", "a date was expected"),
        ("anthropic-beta", "a b", "names of features"),
        ("anthropic-beta", ",".join(["a"] * 51), "names of features"),
        ("anthropic-beta", "b, files-api-2025-04-14", "files-api-2025-04-14 is not passed on"),
        ("anthropic-beta", "mcp-client-2025-11-20", "is not passed on"),
    ],
)
def test_what_of_anthropics_is_not_passed_on(
    send: Any, upstream: FakeUpstream, name: str, value: str, said: str
) -> None:
    """What is no version or feature, or reaches beyond the request, is a 400 that names it."""
    with pytest.raises(BadRequest, match=said):
        send("/messages", {}, {"dialect": "anthropic"}, headers=[(name, value)])
    assert upstream.requests == []


def test_anthropics_key_is_scrubbed(send: Any, upstream: FakeUpstream) -> None:
    """An echoed key stays here, in whichever header it went."""
    upstream.script(reply({"type": "error", "error": {"message": "bad key s3cr3t-key"}}, 400))
    with pytest.raises(UpstreamRefused) as caught:
        send("/messages", {}, {"dialect": "anthropic", "credentials": {"token": "s3cr3t-key"}})
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ({"x-request-id": "req_1"}, {"x-upstream-request-id": "req_1"}),
        ({"request-id": "req_2"}, {"x-upstream-request-id": "req_2"}),
        ({"nvcf-reqid": "a-b"}, {"x-upstream-request-id": "a-b"}),
        ({"x-request-id": "<b>", "request-id": "req_2"}, {"x-upstream-request-id": "req_2"}),
        ({"x-request-id": "x" * 300}, {}),
        (
            {"retry-after-ms": "250", "retry-after": "1"},
            {"retry-after-ms": "250", "retry-after": "1"},
        ),
        ({"retry-after-ms": "12.5"}, {"retry-after-ms": "13"}),
        ({"retry-after-ms": "soon"}, {}),
    ],
)
def test_an_errors_headers(send: Any, upstream: FakeUpstream, headers: Any, passed: Any) -> None:
    """The wait and the upstream's own number of the request reach the caller, if they are such."""
    upstream.script(reply({"error": "busy"}, 429, headers))
    with pytest.raises(UpstreamError) as caught:
        send("/embeddings", {})
    assert caught.value.headers == {"x-upstream-status": "429", **passed}


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_what_the_callers_sdk_should_raise(send: Any, upstream: FakeUpstream, status: int) -> None:
    """What the caller did keeps its status, so that his SDK raises its class."""
    upstream.script(reply({"error": {"message": "m"}}, status, {"x-request-id": "r"}))
    with pytest.raises(UpstreamRefused, match="It said: m") as caught:
        send("/embeddings", {})
    assert caught.value.status == status
    told = {"x-upstream-status": str(status), "x-upstream-request-id": "r"}
    assert caught.value.headers == told


@pytest.mark.parametrize("status", [302, 401, 500])
def test_every_error_names_the_request(send: Any, upstream: FakeUpstream, status: int) -> None:
    """Whatever failed, the upstream's number of the request is there to ask for."""
    upstream.script(reply(b"", status, {"x-request-id": "r"}))
    with pytest.raises(UpstreamError) as caught:
        send("/embeddings", {})
    assert caught.value.headers["x-upstream-request-id"] == "r"
