"""The upstream that every gateway asks: nginx, at once, after half a second, or as a stream."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine
from benchmarks.machine import LOAD, Program

PORT = 9901
#: The paths that a gateway is pointed at, each followed by ``/v1/chat/completions``.
INSTANT, SLOW, STREAM, QUICK_STREAM = "", "/slow", "/stream", "/quick"
#: A stream's chunks, and the seconds before each.
CHUNKS, PAUSE = 100, 0.05
_MODULE = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "meta/llama-3.1-8b-instruct",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "A finite state machine is a model of computation that consists of a"
                " finite number of states, transitions between those states, and actions.",
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 15, "completion_tokens": 42, "total_tokens": 57},
}
_CONFIGURATION = """
load_module {module};
worker_processes 1; daemon off; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {folder}; client_body_buffer_size 1m;
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location = /v1/chat/completions {{ return 200 '{answer}'; }}
    location = /slow/v1/chat/completions {{ echo_sleep 0.5; echo '{answer}'; }}
    location = /stream/v1/chat/completions {{ default_type text/event-stream; {stream} }}
    location = /quick/v1/chat/completions {{ default_type text/event-stream; {quick} }}
    location / {{ return 404; }}
  }}
}}
"""


def _chunk(delta: dict[str, str], finish: str | None = None) -> str:
    """An event, which says in ``sent`` (seconds since the epoch) when nginx wrote it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "sent": 0,
            "model": "meta/llama-3.1-8b-instruct",
            "choices": [choice],
        }
    )
    return f"echo 'data: {body}';".replace('"sent": 0', '"sent": $msec') + " echo '';"


def _stream(pause: float) -> str:
    """A role, ``CHUNKS`` words of which all but the first come after ``pause``, and the end."""
    word = _chunk({"content": " word"})
    later = (f"echo_flush; echo_sleep {pause}; " if pause else "") + word
    parts = [_chunk({"role": "assistant", "content": ""}), word, *[later] * (CHUNKS - 1)]
    return " ".join([*parts, _chunk({}, "stop"), "echo 'data: [DONE]'; echo '';"])


@contextlib.contextmanager
def started(folder: Path) -> Iterator[str]:
    """Nginx on the load's core; its origin."""
    path, origin = folder / "nginx.conf", f"http://127.0.0.1:{PORT}"
    text = _CONFIGURATION.format(
        module=_MODULE,
        folder=folder,
        port=PORT,
        answer=json.dumps(_ANSWER),
        stream=_stream(PAUSE),
        quick=_stream(0.0),
    )
    path.write_text(text, encoding="utf-8")
    command = ["nginx", "-c", str(path), "-p", str(folder), "-e", "stderr"]
    with machine.running(Program("nginx", command, f"{origin}/", folder), LOAD):
        yield origin
