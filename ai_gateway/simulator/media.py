"""Images and audio: a tiny picture, a short tone, and what is known of an uploaded file."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any

import orjson

from ai_gateway.simulator import chat, fields, reply, text
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.fields import Field
from ai_gateway.simulator.reply import OPENAI, Reply

_SIDE = 8  # pixels
_RATE = 8000  # samples a second
_SAMPLES = 800


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form; ``size`` is in bytes."""

    name: str
    size: int


def images(question: Question) -> Reply:
    """``n`` pictures of one colour, which the prompt gives, as base64 of PNG."""
    body = question.body
    problem = fields.problem(body, _IMAGES)
    if problem:
        return OPENAI.error(400, problem)
    return _pictures(body, body["prompt"], int(body.get("n") or 1), "image_generation")


def edits(question: Question) -> Reply:
    """One picture; its colour is given by the prompt and the size of the first picture."""
    body = question.body
    found = body.get("image") or body.get("image[]")
    if not isinstance(found, Upload) or not isinstance(body.get("prompt"), str):
        return OPENAI.error(400, "image and prompt: a file and a text were expected.")
    return _pictures(body, f"{body['prompt']} {found.size}", 1, "image_edit")


def variations(question: Question) -> Reply:
    """One picture, whose colour the size of the other gives."""
    found = question.body.get("image")
    if not isinstance(found, Upload):
        return OPENAI.error(400, "image: an uploaded file was expected.")
    return _pictures({}, str(found.size), 1, "image_edit")


def _pictures(body: dict[str, Any], prompt: str, number: int, name: str) -> Reply:
    data = [{"b64_json": base64.b64encode(_png(prompt, index)).decode()} for index in range(number)]
    tokens = text.count_tokens(prompt)
    usage = {"input_tokens": tokens, "output_tokens": len(data), "total_tokens": tokens + len(data)}
    if not _flag(body):
        return reply.json({"created": chat.CREATED, "data": data, "usage": usage})
    said = {"created_at": chat.CREATED, "output_format": "png", "size": "8x8", **data[0]}
    return reply.stream(
        (
            _event({**said, "type": f"{name}.partial_image", "partial_image_index": 0}, named=True),
            _event({**said, "type": f"{name}.completed", "usage": usage}, named=True),
        )
    )


def _flag(body: dict[str, Any]) -> bool:
    """Whether a stream is asked for, in JSON or in a form."""
    return body.get("stream") in (True, "true")


def _event(value: dict[str, Any], *, named: bool = False) -> bytes:
    name = f"event: {value['type']}\n".encode() if named else b""
    return name + b"data: " + orjson.dumps(value) + b"\n\n"


def speech(question: Question) -> Reply:
    """A tenth of a second of a tone, whose pitch the input gives, as WAV."""
    problem = fields.problem(question.body, _SPEECH)
    if problem:
        return OPENAI.error(400, problem)
    return Reply(200, (_wav(question.body["input"]),), "audio/wav")


def transcriptions(question: Question) -> Reply:
    """The name and the size of the file, as text or JSON."""
    file = question.body.get("file")
    if not isinstance(file, Upload):
        return OPENAI.error(400, "file: an uploaded file was expected.")
    said = f"The file {file.name} has {file.size} bytes."
    if _flag(question.body):
        return reply.stream(_heard(said))
    if question.body.get("response_format") == "text":
        return reply.plain(200, said)
    usage = {"type": "duration", "seconds": 1}
    return reply.json({"text": said, "usage": usage})


def _heard(said: str) -> tuple[bytes, ...]:
    """The words one by one, and then all of them."""
    words = [word + " " for word in said.split()]
    deltas = (_event({"type": "transcript.text.delta", "delta": word}) for word in words)
    tokens = text.count_tokens(said)
    usage = {"type": "tokens", "input_tokens": 8, "output_tokens": tokens}
    usage["total_tokens"] = 8 + tokens
    done = {"type": "transcript.text.done", "text": said, "usage": usage}
    return (*deltas, _event(done), reply.DONE)


def form(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a multipart form: strings, and an Upload for a file."""
    head = f"content-type: {content_type}\r\n\r\n".encode(errors="replace")
    parsed = message_from_bytes(head + body)
    if not parsed.is_multipart():
        return {}
    parts = [part for part in parsed.get_payload() if isinstance(part, Message)]
    return {
        str(part.get_param("name", header="content-disposition")): _value(part) for part in parts
    }


def _value(part: Message) -> str | Upload:
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    name = part.get_filename()
    return data.decode(errors="replace") if name is None else Upload(name, len(data))


def _png(prompt: str, index: int) -> bytes:
    colour = text.number("colour", prompt, index).to_bytes(8, "big")[:3]
    rows = (b"\0" + colour * _SIDE) * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _wav(said: str) -> bytes:
    pitch = 200 + text.number("pitch", said) % 400
    samples = [
        int(8000 * math.sin(2 * math.pi * pitch * number / _RATE)) for number in range(_SAMPLES)
    ]
    data = struct.pack(f"<{_SAMPLES}h", *samples)
    layout = struct.pack("<HHIIHH", 1, 1, _RATE, 2 * _RATE, 2, 16)
    sizes = [struct.pack("<I", size) for size in (36 + len(data), len(layout), len(data))]
    return b"RIFF" + sizes[0] + b"WAVEfmt " + sizes[1] + layout + b"data" + sizes[2] + data


_IMAGES = (
    Field("prompt", fields.is_a(str), "a text", required=True),
    Field("n", fields.integer(1, 10), "an integer between 1 and 10"),
)
_SPEECH = (
    Field("input", fields.is_a(str), "a text", required=True),
    Field("voice", fields.is_a(str), "the name of a voice", required=True),
)
