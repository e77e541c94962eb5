"""Requests of the APIs that the gateway did not make up, as far as it reads them.

What is not named here goes to the model as it is, once its strings have been guarded.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema
from typing_extensions import NotRequired, Required, TypedDict

Object = dict[str, Any]
#: A file in a form.
Upload = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
Named = Annotated[
    str | None,
    Field(description="A model of the bundle, a route that declares `routing`, or `auto`."),
]
Streamed = Annotated[bool | None, Field(description="Whether the answer comes as events.")]


class Message(TypedDict):
    """One message of a chat."""

    role: str
    content: NotRequired[str | list[Object] | None]


class Chat(TypedDict, total=False):
    """A chat with OpenAI's keys."""

    messages: Required[Annotated[list[Message], Field(min_length=1)]]
    model: Named
    stream: Streamed
    max_completion_tokens: int | None
    max_tokens: int | None
    response_format: Object | None
    seed: int | None
    stop: str | list[str] | None
    stream_options: Object | None
    temperature: float | None
    tools: list[Object] | None
    top_p: float | None


class Turn(TypedDict):
    """One message of Anthropic's."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Object]


class Countable(TypedDict, total=False):
    """What Anthropic's API counts the tokens of."""

    messages: Required[Annotated[list[Turn], Field(min_length=1)]]
    model: Named
    system: str | list[Object]
    tools: list[Object]


class Messages(Countable, total=False):
    """A request with Anthropic's keys."""

    max_tokens: int
    stop_sequences: list[str]
    stream: Streamed
    temperature: float
    top_p: float


class Responses(TypedDict, total=False):
    """A request of OpenAI's Responses API, stateless."""

    input: str | list[Object]
    instructions: str | None
    model: Named
    stream: Streamed
    max_output_tokens: int | None
    temperature: float | None
    tools: list[Object]


class Completion(TypedDict, total=False):
    """A prompt to go on from."""

    prompt: str | list[str]
    model: Named
    stream: Streamed
    max_tokens: int | None
    stop: str | list[str] | None
    suffix: str | None
    temperature: float | None


class Embeddings(TypedDict, total=False):
    """Texts to make vectors of."""

    input: str | list[str]
    model: Named
    encoding_format: Literal["float", "base64"]
    input_type: str


class Rerank(TypedDict, total=False):
    """Documents, and a query to order them by."""

    query: Required[str]
    documents: Required[list[str | Object]]
    model: Named
    top_n: int


class Passage(TypedDict):
    """A text to be ranked, or to rank by."""

    text: str


class Ranking(TypedDict, total=False):
    """Passages, and a query to order them by, as NVIDIA's NIM has it."""

    query: Required[Passage]
    passages: Required[list[Passage]]
    model: Named


class Picture(TypedDict, total=False):
    """A prompt for pictures."""

    prompt: Required[str]
    model: Named
    n: int | None
    size: str | None
    response_format: str | None
    stream: Streamed


class _Image(TypedDict, total=False):
    image: Required[Upload]
    model: str
    n: str
    size: str
    response_format: str


class PictureVariation(_Image):
    """A form: a picture that others are to be like."""


class PictureEdit(_Image, total=False):
    """A form: a picture, and a prompt that says how it is to be changed."""

    prompt: Required[str]
    mask: Upload
    stream: Literal["true", "false"]


class Speech(TypedDict, total=False):
    """A text to be spoken."""

    input: Required[str]
    voice: Required[str]
    model: Named
    instructions: str
    response_format: str
    speed: float


class Translation(TypedDict, total=False):
    """A form: a recording, to be written down in English."""

    file: Required[Upload]
    model: str
    prompt: str
    response_format: str
    temperature: str


class Transcription(Translation, total=False):
    """A form: a recording, to be written down."""

    language: str
    stream: Literal["true", "false"]


class Tensor(TypedDict):
    """Numbers or strings, and their shape; strings are of datatype BYTES."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class Infer(TypedDict, total=False):
    """Tensors for a model."""

    id: str
    inputs: Required[list[Tensor]]
    outputs: list[Object]
    parameters: Object
