"""Chat completions and every way to cut them into the chunks of a stream."""

from typing import Any

from hypothesis import strategies as st

Body = dict[str, Any]
HEAD = {"id": "chatcmpl-1", "created": 1700000000, "model": "meta/llama"}
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 7,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def token(text: str) -> Body:
    """One token's log probability, as chat completions give it."""
    return {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []}


def completion(message: Body, finish_reason: str | None = "stop", **more: Any) -> Body:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}}
    return {
        **HEAD,
        "object": "chat.completion",
        "choices": [{**choice, "finish_reason": finish_reason, **more}],
        "usage": USAGE,
    }


def chunk(delta: Body, finish_reason: str | None = None, **more: Any) -> Body:
    """A piece of an answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **more}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}


def call(at: int, **function: Any) -> Body:
    """A tool call, or a piece of one."""
    return {"index": at, "id": f"call_{at}", "type": "function", "function": function}


@st.composite
def _pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def cut(draw: st.DrawFn) -> tuple[Body, list[Body]]:
    """A whole answer, and a stream of the same."""
    message: Body = {}
    chunks = [chunk({"role": "assistant", "content": ""})]
    logprobs: list[Body] = []
    for name in ("reasoning_content", "content", "refusal"):
        message[name] = draw(TEXT) or None
        for piece in draw(_pieces(message[name] or "")):
            more = {"logprobs": {"content": [token(piece)]}} if name == "content" and piece else {}
            logprobs += more["logprobs"]["content"] if more else []
            chunks.append(chunk({name: piece}, **more))
    message["tool_calls"] = []
    for at in range(draw(st.integers(0, 3))):
        arguments = draw(TEXT)
        message["tool_calls"].append(call(at, name=f"f{at}", arguments=arguments))
        chunks.append(chunk({"tool_calls": [call(at, name=f"f{at}", arguments="")]}))
        chunks += [
            chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
            for piece in draw(_pieces(arguments))
        ]
    finish = draw(st.sampled_from(["stop", "length", "content_filter", "tool_calls"]))
    chunks.append(chunk({}, finish))
    chunks.append({**HEAD, "choices": [], "usage": USAGE})
    return completion(message, finish, logprobs={"content": logprobs}), chunks
