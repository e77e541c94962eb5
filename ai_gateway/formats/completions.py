"""OpenAI's legacy completions: a prompt, and text that goes on from it."""

from __future__ import annotations

from collections.abc import Mapping

from ai_gateway.errors import BadRequest, UpstreamError
from ai_gateway.formats import Body, Format, Reading, Usage
from ai_gateway.formats.chat import Ends, count, latest, listed, usage
from ai_gateway.formats.definitions import definitions
from ai_gateway.guardrails.scene import Text

#: Keys of a request that ``texts`` reads, and that hold numbers or names of the API's own.
_KNOWN = frozenset(
    (
        *("best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model"),
        *("n", "presence_penalty", "prompt", "prompt_embeds", "seed", "stop", "stream"),
        *("stream_options", "suffix", "temperature", "top_p", "user"),
    )
)


def texts(body: Body) -> list[Text]:
    """The prompts and the suffix; a prompt that nobody can read is a BadRequest."""
    prompt = body.get("prompt")
    prompts = prompt if isinstance(prompt, list) else [prompt]
    if prompt is not None and not all(isinstance(text, str) for text in prompts):
        raise BadRequest(
            "prompt: token ids cannot be checked; send a string or a list of strings.",
            param="prompt",
        )
    if body.get("prompt_embeds") is not None:
        raise BadRequest("prompt_embeds: embeddings cannot be checked.", param="prompt_embeds")
    return [Text(text, "input") for text in (*prompts, body.get("suffix")) if isinstance(text, str)]


def read(body: Body) -> Reading:
    """All choices' texts; the first choice's end."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise UpstreamError("The model answered without choices.")
    finish = _named(choices[0], "finish_reason") or None
    return Reading("\n".join(_text(choice) for choice in choices), finish, usage(body.get("usage")))


def _text(choice: object) -> str:
    text = _named(choice, "text")
    if text is None:
        raise UpstreamError("The model answered with a choice without text.")
    return text


def _named(choice: object, name: str) -> str | None:
    value = choice.get(name) if isinstance(choice, Mapping) else None
    return value if isinstance(value, str) else None


class Reader:
    """Puts a stream's texts together, each choice's own."""

    def __init__(self) -> None:
        self._texts: dict[object, list[str]] = {}
        self._ends = Ends()
        self._usage = Usage()

    def add(self, chunk: Body) -> None:
        """One ``text_completion`` chunk."""
        if chunk.get("usage"):
            self._usage = latest(self._usage, chunk["usage"])
        for choice in listed(chunk, "choices"):
            index, text = count(choice, "index"), _named(choice, "text")
            if isinstance(choice, Mapping):
                self._ends.add(index, choice)
            if text is not None:
                self._texts.setdefault(index, []).append(text)

    def reading(self) -> Reading:
        """What was said so far."""
        said = "\n".join("".join(pieces) for pieces in self._texts.values())
        return Reading(said, self._ends.first, self._usage)


def says(chunk: Body) -> bool:
    """Whether a chunk brings anything of an answer, or its end."""
    choices = listed(chunk, "choices")
    return any(_named(choice, "text") or _named(choice, "finish_reason") for choice in choices)


COMPLETIONS = Format(
    name="completions",
    path="/completions",
    texts=texts,
    read=read,
    reader=Reader,
    says=says,
    definitions=lambda body: definitions(body, _KNOWN),
)
