"""What goes out: where to, under which name, and within the model's limit of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from ai_gateway import strictjson
from ai_gateway.errors import BadRequest
from ai_gateway.formats import File
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import anthropic, oip, relay

#: Paths of APIs, which a declared URL may end in; the longer first.
_ENDS = (
    b"/chat/completions",
    b"/completions",
    b"/embeddings",
    b"/messages",
    b"/ranking",
    b"/rerank",
    b"/responses",
)
#: The fields that limit an answer's tokens, on the paths that generate text; the first is set
#: where the caller sets none.
_LIMITS = {
    "/chat/completions": ("max_tokens", "max_completion_tokens"),
    "/completions": ("max_tokens",),
    "/messages": ("max_tokens",),
    "/responses": ("max_output_tokens",),
}
#: The paths whose streams tell the usage only if they are asked to.
_SILENT = frozenset({"/chat/completions", "/completions"})
_STREAMING = frozenset({"stream", "stream_options"})

#: What may not be given from outside: it is the gateway's own.
_FIXED = frozenset({"accept", "content-type", "user-agent", *anthropic.OWN})


def url(base: httpx.URL, path: str) -> httpx.URL:
    """``path`` below ``base``, which ends in ``/v1``; a full path is accepted as well."""
    own, mark, query = base.raw_path.partition(b"?")
    own = own.rstrip(b"/")
    end = next((end for end in _ENDS if own.endswith(end)), b"")
    own = own.removesuffix(end).rstrip(b"/")
    return base.copy_with(raw_path=own + path.encode("ascii") + mark + query)


def body(model: Model, path: str, given: Mapping[str, Any], *, stream: bool = False) -> bytes:
    """``given`` for ``model``: under the endpoint's own name of it, within its limit of tokens."""
    if path == oip.INFER:
        return strictjson.dumps(given)
    sent = {key: value for key, value in given.items() if key not in _STREAMING}
    sent["model"] = model.model_id
    if stream:
        sent["stream"] = True
        options = given.get("stream_options")
        if not model.include_usage:
            options = None
        elif path in _SILENT and (options is None or isinstance(options, dict)):
            options = {**(options or {}), "include_usage": True}
        if options is not None:
            sent["stream_options"] = options
    names: Sequence[str] = _LIMITS.get(path, ())
    if model.token_limit is not None and model.token_limit in names:
        names = _rename(sent, names, model.token_limit)
    if model.max_output_tokens is not None and names:
        _limit(sent, names, model.max_output_tokens)
    return strictjson.dumps(sent)


def written(
    model: Model,
    path: str,
    given: Mapping[str, Any],
    files: Sequence[File] = (),
    *,
    stream: bool = False,
) -> tuple[bytes, str]:
    """``given`` for ``model``, and its content type: JSON, or a form where there are files."""
    if files:
        return form(model, given, files, stream=stream)
    return body(model, path, given, stream=stream), "application/json"


def form(
    model: Model, given: Mapping[str, Any], files: Sequence[File], *, stream: bool = False
) -> tuple[bytes, str]:
    """The same as a form: ``given``'s fields but for the described files, then the ``files``.

    Its content type comes with it. Every field is a text, or a list of texts.
    """
    held = {file.name for file in files} | _STREAMING
    sent = {key: value for key, value in given.items() if key not in held}
    sent["model"] = model.model_id
    if stream:
        sent["stream"] = "true"
    parts = [(file.name, (file.filename, file.data, file.content_type)) for file in files]
    # httpx writes the form; the request itself goes nowhere.
    written = httpx.Request("POST", "http://form.invalid", data=sent, files=parts)
    return written.read(), written.headers["content-type"]


def asks_usage(given: Mapping[str, Any]) -> bool:
    """Whether the caller himself asked for the usage at a stream's end."""
    options = given.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def headers(
    model: Model, content_type: str, accept: str, extra: Sequence[tuple[str, str]]
) -> list[tuple[bytes, bytes]]:
    """The headers of one call; raises BadRequest for one of ``extra`` that is none.

    Credentials, hop-by-hop headers and those that the gateway sets itself are left out of
    ``extra``.
    """
    found = [
        (b"accept", accept.encode("ascii")),
        (b"content-type", content_type.encode("latin-1")),
        (b"user-agent", b"ai-gateway"),
    ]
    given = {name.lower(): value for name, value in extra}
    if model.dialect == "anthropic":
        found += anthropic.headers(given)
    if given:
        own = {name: value for name, value in given.items() if name not in _FIXED}
        found += relay.outgoing(own)
    return found


def _rename(sent: dict[str, Any], names: Sequence[str], name: str) -> Sequence[str]:
    """Put the limit under ``name``, the only one that the model takes; the newer of two counts."""
    given = [sent.pop(each) for each in names if each in sent]
    if given:
        sent[name] = given[-1]
    return (name,)


def _limit(sent: dict[str, Any], names: Sequence[str], most: int) -> None:
    given = [name for name in names if sent.get(name) is not None]
    for name in given or names[:1]:  # each: a server may know one of them only
        sent[name] = _at_most(most, sent[name], name) if given else most


def _at_most(most: int, asked: object, name: str) -> int:
    if not isinstance(asked, int) or isinstance(asked, bool):  # a lenient server takes "9" for 9
        raise BadRequest(f"{name}: a whole number was expected.", param=name)
    return asked if 0 <= asked <= most else most  # below 0 is no limit to some
