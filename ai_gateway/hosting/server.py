"""One process that serves one WSGI application until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import uvicorn

from ai_gateway.certificates import Certificates
from ai_gateway.hosting.bridge import Bridge
from ai_gateway.hosting.loop import Loop
from ai_gateway.hosting.options import ServerOptions
from ai_gateway.hosting.protocol import Config, Protocol
from ai_gateway.hosting.refusals import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

#: Seconds. With Python's own 5 ms, a thousand waiting threads wake each other 200 times a second.
SWITCH_INTERVAL = 0.05
#: New objects after which the collector looks for cycles among them. With Python's own 700 and a
#: thousand requests in flight it looks at each of them many times, and frees nothing.
GARBAGE = 10_000


def _nothing() -> None:
    """Do nothing."""


def _ignore(_: Refusal) -> None:
    """Count nothing."""


def serve(
    app: WSGIApplication,
    options: ServerOptions,
    *,
    ready: Callable[[str], object],
    stopping: Callable[[], object] = _nothing,
    on_hangup: Callable[[], object] = _nothing,
    on_refused: Callable[[Refusal], object] = _ignore,
) -> int:
    """Serve ``app`` until SIGTERM or SIGINT; the process's exit code.

    ``ready`` gets the URL once it answers. On the first signal nothing new is accepted, requests in
    flight have ``options.grace_seconds``, then ``stopping`` is called and 0 returned; a second
    signal returns 1 at once. SIGHUP calls ``on_hangup`` in a thread. ``on_refused`` is told, in a
    thread, of each request that never reached ``app``. Raises OSError when the port is taken.
    """
    return Server(
        app, options, ready=ready, stopping=stopping, on_hangup=on_hangup, on_refused=on_refused
    ).serve_forever()


class Server(uvicorn.Server):
    """uvicorn's server with the gateway's signals. ``stop`` may be called from any thread."""

    def __init__(
        self,
        app: WSGIApplication,
        options: ServerOptions,
        *,
        ready: Callable[[str], object],
        stopping: Callable[[], object] = _nothing,
        on_hangup: Callable[[], object] = _nothing,
        on_refused: Callable[[Refusal], object] = _ignore,
    ) -> None:
        self._certificates = Certificates(options.tls) if options.tls else None
        context = self._certificates.context if self._certificates else None
        self._bridge = Bridge(app, options, on_refused)
        super().__init__(Config(self._bridge, options, context))
        self._options = options
        self._ready = ready
        self._stopping = stopping
        self._on_hangup = on_hangup
        self._url = ""
        self._task: asyncio.Task[None] | None = None

    def serve_forever(self) -> int:
        """Serve until stopped; 0, or 1 when a second signal cut it short."""
        listener = listen(self._options)
        self._url = url(listener, self._options)
        sys.setswitchinterval(SWITCH_INTERVAL)
        wake_patiently()
        allow_many_files()
        loop = Loop(self._options.handshake_seconds)
        try:
            with _followed(self._certificates):
                loop.run_until_complete(self._until_stopped(listener))
        except asyncio.CancelledError:
            return 1
        finally:
            loop.close()
        self._stopping()
        return 0

    def stop(self) -> None:
        """Stop gracefully; at once when called again."""
        if self.should_exit and self._task:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self.should_exit = True

    async def _until_stopped(self, listener: socket.socket) -> None:
        self._task = asyncio.current_task()
        self._listen_to_supervisor()
        await self.serve([listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce the URL once connections are taken."""
        await super().startup(sockets)
        gc.set_threshold(GARBAGE)
        gc.freeze()  # what is here by now stays: it need not be looked at again
        if self._options.control is not None:
            os.write(self._options.control, b"\n")
        else:
            self._ready(self._url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gracefully; who has no answer by the end of the grace is told that none comes."""
        await super().shutdown(sockets)
        for connection in cast("set[Protocol]", self.server_state.connections.copy()):
            connection.give_up()
            connection.transport.abort()  # nobody is left to send what its caller does not take
        await asyncio.sleep(0)  # they are told of their end

    async def _wait_tasks_to_complete(self) -> None:
        """Wait for the application too: of a caller who has left there may be records to write."""
        await super()._wait_tasks_to_complete()
        while self._bridge.busy:  # noqa: ASYNC110 - threads tell no event of the loop's
            await asyncio.sleep(0.05)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals in the event loop; only the main thread gets any."""
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        yield

    def _hang_up(self) -> None:
        threading.Thread(target=self._on_hangup, name="hangup", daemon=True).start()

    def _listen_to_supervisor(self) -> None:
        """A supervisor that died is a signal to stop: its port must become free."""
        control = self._options.control
        if control is not None:
            loop = asyncio.get_running_loop()

            def gone() -> None:
                loop.remove_reader(control)
                self.stop()

            loop.add_reader(control, gone)


def _followed(certificates: Certificates | None) -> contextlib.AbstractContextManager[None]:
    return certificates.followed() if certificates else contextlib.nullcontext()


def listen(options: ServerOptions) -> socket.socket:
    """The listening socket; workers of one supervisor share its port. Raises OSError."""
    return socket.create_server(
        (options.host, options.port),
        family=family(options.host),
        backlog=options.backlog,
        reuse_port=options.control is not None,
    )


def family(host: str) -> socket.AddressFamily:
    """IPv6 for an address with colons."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def url(listener: socket.socket, options: ServerOptions) -> str:
    """Where a listening socket answers."""
    scheme = "https" if options.tls else "http"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def wake_patiently() -> None:
    """Let a thread that wakes wait for the one that runs, here and in threads started from here.

    The scheduler would let it run at once, only to find that the other one holds the interpreter's
    lock. Linux alone has a policy for that; where it is not allowed all goes on as it was.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def allow_many_files() -> None:
    """A request in flight holds two sockets; many systems start a process with 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
