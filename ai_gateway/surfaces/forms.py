"""Forms with files (multipart/form-data, RFC 7578): fields that are guarded, files that pass.

A form has one reading: the parser is strict, a field stands once unless its name ends in ``[]``,
and what goes to the model is written anew from what was read here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import multipart

from ai_gateway.contract import Event
from ai_gateway.errors import BadRequest, TooLarge
from ai_gateway.formats import File
from ai_gateway.surfaces import refuse_addresses, refuse_variants

MAX_PARTS = 64
MAX_TEXT = 1_000_000  # bytes of one field that is no file

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Form:
    """The fields, with descriptions in the files' place, and the files."""

    body: dict[str, Any] = field(default_factory=dict)
    files: tuple[File, ...] = ()


def parse(event: Event, protocol: frozenset[str], files: Collection[str]) -> Form:
    """The form in ``event``'s body, of which ``files`` are the fields that hold files.

    ``protocol`` are the other fields that the gateway or a model acts on. Unknown ones pass as they
    are. Raises BadRequest, or TooLarge for more parts or longer fields than are read.
    """
    body: dict[str, Any] = {}
    kept: list[File] = []
    for segment, data in _segments(event):
        name = segment.name or ""
        held = segment.filename is not None
        if (name in files) != held and name in {*files, *protocol}:
            what = "a file" if name in files else "a text"
            raise BadRequest(f"{name}: {what} was expected.", param=name[:100])
        if held:
            kept.append(File(name, segment.filename, _kind(segment), data))
        _put(body, name, kept[-1].described() if held else _text(segment, data))
    refuse_variants(body, protocol.union(files))
    refuse_addresses(body)
    return Form(_flagged(body), tuple(kept))


def need(form: Form, *names: str) -> None:
    """Raise BadRequest unless one of ``names`` is a field of ``form``."""
    if not any(name in form.body for name in names):
        raise BadRequest(f"{names[0]}: it is missing.", param=names[0])


def _segments(event: Event) -> Iterator[tuple[multipart.MultipartSegment, bytes]]:
    kind, options = multipart.parse_options_header(event.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise BadRequest("A form was expected: multipart/form-data, with its boundary.")
    segment: Any = None
    data = b""
    try:
        with multipart.PushMultipartParser(
            options["boundary"], len(event.body), max_segment_count=MAX_PARTS, strict=True
        ) as parser:
            for part in parser.parse(event.body):
                if isinstance(part, multipart.MultipartSegment):
                    segment, data = part, b""
                elif part is not None:
                    data += part
                else:
                    yield segment, data
    except multipart.ParserLimitReached as error:
        raise TooLarge(f"The form is larger than is read: {error}.") from None
    except multipart.MultipartError as error:
        raise BadRequest(f"The form cannot be read: {error}.") from None


def _kind(segment: multipart.MultipartSegment) -> str:
    """The file's type; one that holds a line's end would be a header of its own when sent."""
    kind = segment.content_type or "application/octet-stream"
    if not kind.isascii() or not kind.isprintable():
        raise BadRequest(f"{(segment.name or '')[:100]}: its content type is none.")
    return kind


def _text(segment: multipart.MultipartSegment, data: bytes) -> str:
    name = (segment.name or "")[:100]
    if len(data) > MAX_TEXT:
        raise TooLarge(f"{name}: {len(data)} bytes; at most {MAX_TEXT} are read.")
    try:
        if (segment.charset or "utf-8").lower() in ("utf-8", "utf8", "us-ascii"):
            return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise BadRequest(f"{name}: UTF-8 was expected.", param=name)


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    if name.endswith("[]"):
        body.setdefault(name, []).append(value)
    elif name in body:
        raise BadRequest(f"{name[:100]}: the field stands twice.", param=name[:100])
    else:
        body[name] = value


def _flagged(body: dict[str, Any]) -> dict[str, Any]:
    """``stream`` as what it says."""
    if "stream" in body:
        said = str(body["stream"]).lower()  # Python's own words begin with capitals
        if said not in _FLAGS:
            raise BadRequest("stream: true or false was expected.", param="stream")
        body["stream"] = _FLAGS[said]
    return body
