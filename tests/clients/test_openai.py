"""The official client of OpenAI, as an application uses it: nothing but its base URL changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.conftest import (
    CLOCK,
    ENDLESS,
    FACT,
    IMAGE,
    QUESTION,
    SILENT,
    TOOLS,
    WEATHER,
    Target,
    fails,
    fails_once,
)

openai = pytest.importorskip("openai", reason="make test runs it in .venv-clients")


class City(BaseModel):
    """A structured answer."""

    name: str
    size: int


@pytest.fixture
def client(target: Target) -> Iterator[Any]:
    """A client for text that does not try again."""
    with openai.OpenAI(**target.kind(), max_retries=0, timeout=10) as client:
        yield client


def chat(client: Any, target: Target, text: object, **fields: object) -> Any:
    """One question to the chat model."""
    said = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=target.models["text"], messages=said, **fields)


def test_plain(client: Any, target: Target) -> None:
    """A completion is parsed, with usage and a request id."""
    reply = chat(client, target, QUESTION, temperature=0, user="someone")
    assert FACT in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply._request_id


def test_stream(client: Any, target: Target) -> None:
    """Chunks make the plain answer."""
    plain = chat(client, target, QUESTION).choices[0].message.content
    chunks = list(chat(client, target, QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain
    assert len(chunks) > 5


def test_silence(client: Any, target: Target) -> None:
    """What keeps a silent stream alive is passed over."""
    chunks = chat(client, target, SILENT, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "One two three."


def test_request_id(client: Any, target: Target) -> None:
    """Answers, streams and exceptions have the id that the gateway's log and record have."""
    with_headers = client.with_raw_response.chat.completions.create
    said = [{"role": "user", "content": QUESTION}]
    raw = with_headers(model=target.models["text"], messages=said)
    assert raw.parse()._request_id == raw.headers["x-request-id"]
    with chat(client, target, QUESTION, stream=True) as stream:
        assert stream.response.headers["x-request-id"]
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, target, fails("status=400"))
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]


def test_usage(client: Any, target: Target) -> None:
    """Who asks for it gets a last chunk with the usage, who does not gets none."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *_, last = chat(client, target, QUESTION, **options)
    assert (last.choices, last.usage.completion_tokens > 5) == ([], True)
    chunks = list(chat(client, target, QUESTION, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize(
    "directive",
    [
        "ping-comments",
        "usage-chunk",
        "empty-choices",
        "empty-deltas",
        "crlf",
        "cr",
        "split=5",
        "no-done",
        "gzip",
    ],
)
def test_traps(client: Any, target: Target, directive: str) -> None:
    """Whatever the model server sends besides, the text arrives."""
    chunks = list(chat(client, target, fails(directive), stream=True))
    said = "".join(
        choice.delta.content or "" for chunk in chunks for choice in chunk.choices if choice.delta
    )
    assert FACT in said


def test_tools(client: Any, target: Target) -> None:
    """Two tools are called at once; with their results the model answers."""
    asked = {"role": "user", "content": "What is the weather and the time in Paris?"}
    said: list[Any] = [asked]
    message = chat(client, target, asked["content"], tools=TOOLS).choices[0].message
    assert [call.function.name for call in message.tool_calls] == [WEATHER["name"], CLOCK["name"]]
    assert json.loads(message.tool_calls[0].function.arguments)["city"] == "Paris"
    said.append(message)
    said += [
        {"role": "tool", "tool_call_id": call.id, "content": f"result {index}"}
        for index, call in enumerate(message.tool_calls)
    ]
    reply = client.chat.completions.create(model=target.models["text"], messages=said, tools=TOOLS)
    assert "result 0" in reply.choices[0].message.content
    assert "result 1" in reply.choices[0].message.content


def test_streamed_tools(client: Any, target: Target) -> None:
    """The client's own helper puts the fragments of both calls together."""
    said = [{"role": "user", "content": "What is the weather and the time in Paris?"}]
    with client.chat.completions.stream(
        model=target.models["text"], messages=said, tools=TOOLS
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert json.loads(calls[1].function.arguments) == {"place": "Paris"}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", None),
        ("required", "get_weather"),
        ({"type": "function", "function": {"name": "get_time"}}, "get_time"),
    ],
)
def test_tool_choice(client: Any, target: Target, choice: Any, called: str | None) -> None:
    """The choice of tools reaches the model."""
    message = chat(client, target, "Hello!", tools=TOOLS, tool_choice=choice).choices[0].message
    assert [call.function.name for call in message.tool_calls or ()] == ([called] if called else [])


def test_structured(client: Any, target: Target) -> None:
    """A schema made from a class comes back as an object of it."""
    said = [{"role": "user", "content": "How big is Paris?"}]
    reply = client.chat.completions.parse(
        model=target.models["text"], messages=said, response_format=City
    )
    assert reply.choices[0].message.parsed.name == "Paris"


def test_logprobs(client: Any, target: Target) -> None:
    """Several choices, their log probabilities and a stop sequence all arrive."""
    reply = chat(
        client, target, QUESTION, n=2, seed=1, logprobs=True, top_logprobs=2, stop=["states"]
    )
    assert len(reply.choices) == 2
    for choice in reply.choices:
        tokens = choice.logprobs.content
        assert "".join(token.token for token in tokens) == choice.message.content
        assert "states" not in choice.message.content
        assert len(tokens[0].top_logprobs) == 2


def test_image(client: Any, target: Target) -> None:
    """An image in a message reaches the model."""
    image = {"type": "image_url", "image_url": {"url": IMAGE}}
    reply = chat(client, target, [{"type": "text", "text": QUESTION}, image])
    assert reply.choices[0].message.content.startswith("I see 1 images")


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("stream", [False, True])
def test_reasoning(client: Any, target: Target, name: str, *, stream: bool) -> None:
    """Thoughts arrive in the field that the server uses."""
    reply = chat(client, target, fails(f"reasoning={name}"), stream=stream)
    name = "reasoning_content" if target.crossed else name
    pieces = [chunk.choices[0].delta for chunk in reply] if stream else [reply.choices[0].message]
    thought = "".join(getattr(piece, name, None) or "" for piece in pieces)
    assert thought.startswith("The user asks")


def test_completions(client: Any, target: Target) -> None:
    """The older API, plain and streamed."""
    fields = {"model": target.models["text"], "prompt": QUESTION, "max_tokens": 40}
    plain = client.completions.create(**fields)
    chunks = client.completions.create(**fields, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == plain.choices[0].text
    assert plain.choices[0].finish_reason == "length"


def test_responses(client: Any, target: Target) -> None:
    """A response, its stream and a function call."""
    fields: dict[str, Any] = {"model": target.models["text"], "input": QUESTION}
    plain = client.responses.create(**fields)
    assert FACT in plain.output_text
    with client.responses.stream(**fields) as stream:
        assert stream.get_final_response().output_text == plain.output_text
    tool = {"type": "function", "strict": True, **WEATHER}
    called = client.responses.create(
        model=target.models["text"], input="Weather in Paris?", tools=[tool]
    )
    (call,) = called.output
    assert (call.name, json.loads(call.arguments)["city"]) == ("get_weather", "Paris")
    asked = {**fields, "input": "How big is Paris?", "text_format": City}
    assert client.responses.parse(**asked).output_parsed.name == "Paris"


def test_responses_that_fail(client: Any, target: Target) -> None:
    """Before the answer and in its midst, the exception is the client's own."""
    fields: dict[str, Any] = {"model": target.models["text"]}
    with pytest.raises(openai.RateLimitError):
        client.responses.create(**fields, input=fails("status=429"))
    if not target.gateway:
        return  # the stand-in's event is OpenAI's documented one, which the client does not raise
    with pytest.raises(openai.APIError):
        list(client.responses.create(**fields, input=fails("late-error=6"), stream=True))


def test_models(client: Any, target: Target) -> None:
    """The model is listed by the name that requests use."""
    assert target.models["text"] in [model.id for model in client.models.list()]


def test_embeddings(target: Target) -> None:
    """The client asks for base64 and unpacks it."""
    with openai.OpenAI(**target.kind("embedder"), max_retries=0) as client:
        reply = client.embeddings.create(model=target.models["embedder"], input=["a b", "b a"])
    first, second = (row.embedding for row in reply.data)
    assert first == second
    assert sum(value * value for value in first) == pytest.approx(1, abs=1e-3)


def test_media(target: Target) -> None:
    """Binary answers and uploads pass."""
    model = target.models["media"]
    with openai.OpenAI(**target.kind("media"), max_retries=0) as client:
        picture = client.images.generate(model=model, prompt="a cat")
        sound = client.audio.speech.create(model=model, voice="alloy", input="hello")
        text = client.audio.transcriptions.create(model=model, file=("a.wav", sound.content))
    assert picture.data[0].b64_json
    assert sound.content.startswith(b"RIFF")
    assert text.text == f"The file a.wav has {len(sound.content)} bytes."


def test_pictures_and_words_as_they_come(target: Target) -> None:
    """A picture is changed, sound and words arrive in pieces."""
    model = target.models["media"]
    with openai.OpenAI(**target.kind("media"), max_retries=0) as client:
        file = ("a.png", b"12345678")
        picture = client.images.edit(model=model, prompt="redder", image=[file])
        speech = client.audio.speech.with_streaming_response
        with speech.create(model=model, voice="alloy", input="hello") as spoken:
            sound = b"".join(spoken.iter_bytes())
        transcribe = client.audio.transcriptions.create
        events = list(transcribe(model=model, file=("a.wav", sound), stream=True))
    assert picture.data[0].b64_json
    assert sound.startswith(b"RIFF")
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == f"The file a.wav has {len(sound)} bytes."


FAILURES = (400, 403, 404, 409, 422, 429, 500, 503, 529)
ERRORS = {
    400: "BadRequestError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "InternalServerError",
    503: "InternalServerError",
    529: "InternalServerError",
}


@pytest.mark.parametrize("status", FAILURES)
@pytest.mark.parametrize("body", ["", "-flat", "-text"])
def test_errors(client: Any, target: Target, status: int, body: str) -> None:
    """Each status is the client's own exception, whatever the body of the server behind."""
    with pytest.raises(getattr(openai, ERRORS[target.status(status)])) as caught:
        chat(client, target, fails(f"status={status}{body}; retry-after=7"))
    assert caught.value.status_code == target.status(status)
    assert caught.value.response.headers.get("retry-after") == target.retry_after(status)
    assert caught.value.request_id


def test_wrong_key(target: Target) -> None:
    """A wrong key is an AuthenticationError."""
    fields = {**target.kind(), "api_key": "expired"}
    with (
        openai.OpenAI(**fields, max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        chat(client, target, QUESTION)


def test_unknown_model(client: Any) -> None:
    """A model that is not there is a NotFoundError."""
    said = [{"role": "user", "content": "Hi"}]
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nothing", messages=said)


def test_retry(target: Target) -> None:
    """A client that tries again waits as long as it is told."""
    start = time.monotonic()
    with openai.OpenAI(**target.kind(), max_retries=2) as client:
        assert chat(client, target, fails_once()).choices
    assert 1 <= time.monotonic() - start < 3


def test_late_error(client: Any, target: Target) -> None:
    """An error after the first chunks is raised, never a silent end."""
    seen = []
    with pytest.raises(openai.APIError):
        seen.extend(chat(client, target, fails("late-error=5"), stream=True))
    assert seen


@pytest.mark.parametrize("where", ["after-headers", "mid-body", "mid-utf8"])
def test_cut(client: Any, target: Target, where: str) -> None:
    """A stream that is cut off raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 # which one is the client's affair
        list(chat(client, target, fails(f"cut={where}"), stream=True))
    assert "httpx" in type(caught.value).__module__ or isinstance(caught.value, openai.APIError)


@pytest.mark.parametrize("directive", ["latency=5", "hang=5", "slow-first-byte=5"])
def test_timeout(client: Any, target: Target, directive: str) -> None:
    """A silent model is the client's own timeout."""
    start = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        chat(client, target, fails(directive), timeout=0.4)
    assert time.monotonic() - start < 2


def test_leave(client: Any, target: Target) -> None:
    """Closing the stream ends the call to the model within a second."""
    before = target.disconnects()
    with chat(client, target, ENDLESS, stream=True) as stream:
        next(iter(stream))
    assert target.left(before)


def test_leave_in_silence(client: Any, target: Target) -> None:
    """Nor need the model say anything for its caller's leaving to be noticed."""
    before = target.disconnects()
    with chat(client, target, "Hello! [[simulate say=One two.; chunk-delay=2]]", stream=True) as it:
        next(iter(it))
    assert target.left(before)


def test_cancel(target: Target) -> None:
    """A cancelled task of the async client ends the call to the model, before any byte too."""

    async def cancelled() -> None:
        async with openai.AsyncOpenAI(**target.kind(), max_retries=0) as client:
            task = asyncio.ensure_future(chat(client, target, fails("latency=30")))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    before = target.disconnects()
    asyncio.run(cancelled())
    assert target.left(before)


def test_async_stream(target: Target) -> None:
    """The async client reads the same stream."""

    async def read() -> str:
        async with openai.AsyncOpenAI(**target.kind(), max_retries=0) as client:
            stream = await chat(client, target, QUESTION, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert FACT in asyncio.run(read())
