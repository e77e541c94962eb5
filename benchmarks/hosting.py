"""What hosting a WSGI application costs, and what it holds: this server beside others.

    python benchmarks/hosting.py [SERVER ...] [--seconds 5]

One Flask application on each server, the server on core 0, the load (wrk) and the upstream (nginx
with its echo module) on core 1. Printed for each: CPU microseconds a request (user and system time
of the server's processes over the requests served), requests a second, p50, p99, resident memory
and errors. Servers and tools that are not installed are skipped:
``pip install granian waitress``; Debian: ``nginx libnginx-mod-http-echo wrk``.

It is one file so that it runs by itself, servers and probes together.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

ROOT = Path(__file__).resolve().parents[1]
PORT = 9830
UPSTREAM = 9831
THREADS = 2048
NGINX = """
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
worker_processes 1; daemon off; error_log stderr; pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 10000000; client_body_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ echo_sleep 0.5; echo '{{"ok": true}}'; }}
  }}
}}
"""
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"model-a","messages":[{"role":"user","content":"%s"}]}'
""" % ("What is a finite state machine? " * 8)

app = Flask(__name__)
_upstream: list[http.client.HTTPConnection] = []


@app.get("/ping")
def ping() -> dict[str, bool]:
    """Answer."""
    return {"ok": True}


@app.post("/trivial")
def trivial() -> dict[str, bool]:
    """Read the body and answer."""
    request.get_data()
    return {"ok": True}


@app.post("/sleep")
def sleep() -> dict[str, bool]:
    """Hold a thread for half a second."""
    request.get_data()
    time.sleep(0.5)
    return {"ok": True}


@app.post("/upstream")
def upstream() -> bytes:
    """Ask an upstream that takes half a second, over a stack of connections."""
    body = request.get_data()
    connection = _upstream.pop() if _upstream else http.client.HTTPConnection("127.0.0.1", UPSTREAM)
    connection.request("POST", "/", body)
    answer = connection.getresponse().read()
    _upstream.append(connection)
    return answer


@app.get("/events")
def events() -> Response:
    """A hundred small events."""
    return Response((b'data: {"text":"word"}\n\n' for _ in range(100)), mimetype="text/plain")


@app.get("/flood")
def flood() -> Response:
    """300 MB in pieces."""
    return Response((bytes(100_000) for _ in range(3000)), mimetype="application/octet-stream")


@app.post("/length")
def length() -> str:
    """How much of a body arrived; noted for whoever cut it."""
    size = len(request.get_data())
    (Path(tempfile.gettempdir()) / f"hosting-bench-{PORT}").write_text(str(size), encoding="utf-8")
    return str(size)


# The servers


def serve_gateway(port: int, _: int) -> None:
    """This project's own."""
    hosting = import_module("ai_gateway.hosting")
    options = hosting.ServerOptions(port=port, body_seconds=5)
    sys.exit(hosting.serve(app, options, ready=print))


def serve_granian_wsgi(port: int, threads: int) -> None:
    """Granian calling the application itself."""
    import_module("granian").Granian(
        "hosting:app",
        port=port,
        interface="wsgi",
        http="1",
        log_enabled=False,
        websockets=False,
        backlog=4096,
        backpressure=4096,
        blocking_threads=threads,
        working_dir=Path(__file__).parent,
    ).serve()


def serve_granian_rsgi(port: int, _: int) -> None:
    """Granian handing over requests in an event loop; the application in a pool of threads."""
    constants = import_module("granian.constants")
    server = import_module("granian.server.embed").Server(
        _rsgi(),
        port=port,
        interface=constants.Interfaces.RSGI,
        http=constants.HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=4096,
    )
    asyncio.run(server.serve())


def _rsgi() -> Callable[[Any, Any], Any]:
    """The same pool, outbox and call of the application as the gateway's, on another server."""
    hosting = {
        name: import_module(f"ai_gateway.hosting.{name}")
        for name in ("arrival", "exchange", "outbox", "pool")
    }
    pool = hosting["pool"].ThreadPool("handler", THREADS, THREADS)

    async def serve(scope: Any, protocol: Any) -> None:
        body = await asyncio.wait_for(protocol(), 5) if scope.method == "POST" else b""
        arrival = hosting["arrival"].Arrival()
        outbox = hosting["outbox"].Outbox(asyncio.get_running_loop(), arrival)
        environ = {**_environ(scope, body), "gateway.disconnected": arrival}
        pool.submit(hosting["exchange"].Exchange(app, environ, outbox).run)
        chunk, last = await outbox.take()
        headers = [(name.decode(), value.decode()) for name, value in outbox.head.headers]
        if last:
            protocol.response_bytes(outbox.head.status, headers, chunk)
            return
        transport = protocol.response_stream(outbox.head.status, headers)
        await transport.send_bytes(chunk)
        while not last:
            outbox.taken(len(chunk))
            chunk, last = await outbox.take()
            await transport.send_bytes(chunk)

    return serve


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
    environ = {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path,
        "QUERY_STRING": scope.query_string,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
    }
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ


def serve_waitress(port: int, threads: int) -> None:
    """waitress, which reads the whole body before it takes a thread."""
    import_module("waitress").serve(
        app,
        port=port,
        threads=threads,
        backlog=4096,
        connection_limit=4096,
        asyncore_use_poll=True,
    )


SERVERS: dict[str, Callable[[int, int], None]] = {
    "gateway": serve_gateway,
    "granian-wsgi": serve_granian_wsgi,
    "granian-rsgi": serve_granian_rsgi,
    "waitress": serve_waitress,
}


# The measurements


@contextlib.contextmanager
def started(name: str, threads: int) -> Iterator[int]:
    """A server on core 0, answering; its process id."""
    command = ["taskset", "-c", "0", sys.executable, __file__, "--serve", name, "--threads"]
    process = subprocess.Popen(
        [*command, str(threads)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                ask("GET", "/ping")
                break
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        for pid in tree(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def upstream_started() -> Iterator[bool]:
    """Nginx answering after half a second, where it is installed."""
    if not shutil.which("nginx"):
        yield False
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(NGINX.format(folder=folder, port=UPSTREAM), encoding="utf-8")
        process = subprocess.Popen(
            ["taskset", "-c", "1", "nginx", "-c", path, "-p", folder, "-e", "stderr"],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield True
        finally:
            process.terminate()
            process.wait()


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, queue = [], [root]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def usage(root: int) -> tuple[float, float]:
    """CPU seconds and resident megabytes of a process and all below it."""
    seconds = megabytes = 0.0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            megabytes += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return seconds, megabytes


def wrk(path: str, connections: int, seconds: int, script: Path) -> str:
    """What wrk prints."""
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency"]
    post = [] if path == "/events" else ["-s", str(script)]
    url = f"http://127.0.0.1:{PORT}{path}"
    return subprocess.run(
        [*command, "--timeout", "10", *post, url], capture_output=True, text=True, check=True
    ).stdout


def load(root: int, path: str, connections: int, seconds: int, script: Path) -> str:
    """One line of figures."""
    wrk(path, connections, 2, script)
    before, _ = usage(root)
    said = wrk(path, connections, seconds, script)
    after, memory = usage(root)
    served = int(_found(r"(\d+) requests in", said))
    p50, p99 = (_found(rf" {percent}%\s+(\S+)", said) for percent in (50, 99))
    speed = _found(r"Requests/sec:\s+(\S+)", said)
    errors = " ".join(re.findall(r"(Non-2xx.*|Socket errors.*)", said))
    return (
        f"{(after - before) / max(1, served) * 1e6:7.0f} us CPU/request"
        f" {speed:>10} requests/s"
        f"  p50 {p50:>9}  p99 {p99:>9}  {memory:5.0f} MB  {errors}"
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else "-"


def ask(method: str, path: str) -> None:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
    with contextlib.closing(connection):
        connection.request(method, path)
        connection.getresponse().read()


def connect() -> socket.socket:
    """A caller that sends what it likes."""
    return socket.create_connection(("127.0.0.1", PORT), timeout=2)


def slow_bodies() -> str:
    """/ping while 200 callers send a byte a second."""
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(connect()) for _ in range(200)]
        for caller in callers:
            caller.sendall(b"POST /trivial HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        slowest = 0.0
        for _ in range(3):
            for caller in callers:
                caller.sendall(b"x")
            started_at = time.monotonic()
            try:
                ask("GET", "/ping")
            except OSError:
                return "no answer to /ping within 2 s"
            slowest = max(slowest, time.monotonic() - started_at)
            time.sleep(1)
    return f"slowest /ping {slowest * 1000:.0f} ms"


def slow_reader(root: int) -> str:
    """What is kept for a caller who asks for 300 MB and reads nothing."""
    _, before = usage(root)
    with connect() as caller:
        caller.sendall(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2)
        _, after = usage(root)
        status = caller.recv(12).decode()
    return f"{after - before:.0f} MB kept ({status})"


def short_bodies() -> str:
    """Whether a body that was cut reaches the application."""
    note = Path(tempfile.gettempdir()) / f"hosting-bench-{PORT}"
    framings = {"length": b"Content-Length: 10\r\n\r\nabc"}
    framings["chunks"] = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    found = []
    for name, rest in framings.items():
        note.unlink(missing_ok=True)
        with connect() as caller:
            caller.sendall(b"POST /length HTTP/1.1\r\nHost: x\r\n" + rest)
            time.sleep(0.2)
        time.sleep(0.5)
        size = note.read_text(encoding="utf-8") if note.exists() else None
        found.append(f"{name}: " + (f"delivered as {size} bytes" if size else "not delivered"))
    note.unlink(missing_ok=True)
    return ", ".join(found)


def measure(name: str, seconds: int, script: Path, *, upstream: bool) -> None:
    """All lines of one server."""
    cases = [("/trivial", 32, 32), ("/events", 16, 32), ("/sleep", 1000, 1000)]
    cases += [("/sleep", 2000, 2000)] + [("/upstream", 1000, 1000)] * upstream
    for path, connections, threads in cases:
        with started(name, threads) as root:
            line = load(root, path, connections, seconds, script)
            print(f"{name:13} {path:10} {connections:5} {line}", flush=True)
    for label, probe in {"200 slow bodies": slow_bodies, "cut bodies": short_bodies}.items():
        with started(name, 32):
            print(f"{name:13} {label}: {probe()}", flush=True)
    with started(name, 32) as root:
        print(f"{name:13} a caller who reads nothing: {slow_reader(root)}", flush=True)


def main() -> None:
    """Measure the servers named, or all that are installed."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("servers", nargs="*", choices=[*SERVERS, []], default=[])
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    arguments.add_argument("--threads", type=int, default=32, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    sys.path.insert(0, str(ROOT))
    if given.serve:
        sys.setswitchinterval(0.05)  # for all of them: it is the server that is compared
        SERVERS[given.serve](PORT, given.threads)
        return
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed.")
    with tempfile.TemporaryDirectory() as folder, upstream_started() as upstream:
        script = Path(folder) / "post.lua"
        script.write_text(LUA, encoding="utf-8")
        for name in given.servers or SERVERS:
            package = name.partition("-")[0]
            if package != "gateway" and not find_spec(package):
                print(f"{name:13} is not installed")
                continue
            measure(name, given.seconds, script, upstream=upstream)


if __name__ == "__main__":
    main()
