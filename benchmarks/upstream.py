"""CPU a call and a streamed chunk of ``Upstreams``, beside a bare ``httpx.Client``.

    python -m benchmarks.upstream [--threads 32] [--calls 20000] [--url http://127.0.0.1:9901/v1]
    python -m benchmarks.upstream --streams 400 [--chunks 200] [--pause 0.002]

Without ``--url`` it starts nginx on a free port with one canned chat completion, so that the
client's own cost is all there is to see. The figure is user and system time of this process over
the calls made; the machine's other work moves it less than it moves requests a second.

Streams come from a process of their own, a chunk a write with a pause between two, so that each is
a read of its own, as a model's are; without a pause many chunks share a read.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx
import orjson

from ai_gateway.clock import SystemClock
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Upstreams, sse

BODY = {"model": "auto", "messages": [{"role": "user", "content": "What is an automaton? " * 9}]}
ANSWER = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":'
    '[{"index":0,"message":{"role":"assistant","content":"A machine that moves by itself, or the'
    ' mathematical model of one."},"logprobs":null,"finish_reason":"stop"}],"usage":'
    '{"prompt_tokens":15,"completion_tokens":42,"total_tokens":57}}'
)
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}\n\n'
)
NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{answer}'; }} }}
}}
"""


@contextmanager
def upstream() -> Iterator[str]:
    """The URL of an nginx that answers at once."""
    nginx = shutil.which("nginx")
    if nginx is None:
        sys.exit("nginx is not installed; start an upstream yourself and name it with --url")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=port, answer=ANSWER))
        process = subprocess.Popen([nginx, "-c", config, "-p", folder, "-e", "stderr"])
        try:
            _await(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait()


def _await(port: int) -> None:
    for _ in range(100):
        time.sleep(0.05)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    sys.exit("nginx did not start")


def measure(label: str, call: Callable[[], object], threads: int, calls: int) -> None:
    """Print CPU microseconds a call and calls a second of ``call`` on ``threads`` threads."""
    each = calls // threads

    def work() -> None:
        for _ in range(each):
            call()

    call()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    made = each * threads
    print(f"{label:<28} {used / made * 1e6:8.0f} µs CPU/call {made / seconds:8.0f} calls/s")


def main() -> None:
    """Measure both, in one run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=32)
    options.add_argument("--calls", type=int, default=20_000)
    options.add_argument("--url")
    options.add_argument("--streams", type=int, default=0)
    options.add_argument("--chunks", type=int, default=200)
    options.add_argument("--pause", type=float, default=0.002)
    given = options.parse_args()
    sys.setswitchinterval(0.05)  # as the server sets it
    print(f"  parser and JSON alone {parser():.1f} µs CPU/chunk")
    if given.streams:
        with streaming(given.chunks, given.pause) as url:
            compare_streams(url, given.streams, given.chunks)
    elif given.url:
        compare(given.url, given.threads, given.calls)
    else:
        with upstream() as url:
            compare(url, given.threads, given.calls)


def parser() -> float:
    """CPU microseconds to take a small chunk apart and read its JSON."""
    one, rounds = sse.Parser("The model m"), 50_000

    def work() -> None:
        for _, data in one.feed(CHUNK):
            orjson.loads(data)

    return timeit.timeit(work, timer=time.process_time, number=rounds) / rounds * 1e6


@contextmanager
def streaming(chunks: int, pause: float) -> Iterator[str]:
    """The URL of a server, in a process of its own, that streams ``chunks`` to each request."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        process = multiprocessing.get_context("fork").Process(
            target=_accept, args=(listener, chunks, pause), daemon=True
        )
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            process.terminate()
            process.join()


def _accept(listener: socket.socket, chunks: int, pause: float) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_stream, args=(connection, chunks, pause), daemon=True).start()


def _stream(connection: socket.socket, chunks: int, pause: float) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    piece = b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK)
    with connection, connection.makefile("rb") as reader:
        while _asked(reader):
            connection.sendall(head)
            for _ in range(chunks):
                connection.sendall(piece)
                if pause:
                    time.sleep(pause)
            connection.sendall(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def _asked(reader: BinaryIO) -> bool:
    """Whether one more request came."""
    length, came = 0, False
    while (line := reader.readline()).strip():
        came = True
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    reader.read(length)
    return came


def compare_streams(url: str, streams: int, chunks: int) -> None:
    """Print the CPU of a chunk and of a stream, for each way to read them."""
    clock = SystemClock()
    model = Model(url=url, model_id="m")
    upstreams = Upstreams(clock, {})
    seen = [0]

    def ours() -> None:
        deadline = clock.monotonic() + 300
        for _ in upstreams.stream(model, "/chat/completions", BODY, deadline):
            seen[0] += 1

    def bare() -> None:
        with client.stream("POST", f"{url}/chat/completions", json={**BODY, "stream": True}) as got:
            for line in got.iter_lines():
                if line.startswith("data: {"):
                    orjson.loads(line[6:])
                    seen[0] += 1

    with httpx.Client(timeout=300, trust_env=False) as client:
        for label, call in (("Upstreams.stream", ours), ("httpx.Client.stream", bare)):
            call()
            seen[0] = 0
            began = time.process_time()
            for _ in range(streams):
                call()
            used = (time.process_time() - began) / streams * 1e6
            if seen[0] != streams * chunks:
                sys.exit(f"{label} saw {seen[0]} chunks instead of {streams * chunks}")
            print(f"{label:<28} {used / chunks:8.1f} µs CPU/chunk {used:8.0f} µs CPU/stream")
    upstreams.close()


def compare(url: str, threads: int, calls: int) -> None:
    """Print a line for each way to call ``url``."""
    clock = SystemClock()
    model = Model(url=url, model_id="m")
    upstreams = Upstreams(clock, {})
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
    with httpx.Client(limits=limits, timeout=30, trust_env=False) as client:

        def ours() -> object:
            return upstreams.send(model, "/chat/completions", BODY, clock.monotonic() + 30)

        def bare() -> object:
            return client.post(f"{url}/chat/completions", json=BODY).json()

        for count in (1, threads):
            measure(f"Upstreams.send, {count} thr.", ours, count, calls)
            measure(f"httpx.Client, {count} thr.", bare, count, calls)
    upstreams.close()


if __name__ == "__main__":
    main()
