"""Several workers on one port: started, restarted when they die, and told what we are told.

Each worker binds the port for itself (SO_REUSEPORT), so that the kernel spreads the connections.
A socket pair ties it to us: the worker writes a byte once it answers, and stops when we are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ai_gateway.hosting.options import ServerOptions
from ai_gateway.hosting.server import family, listen, url

logger = logging.getLogger(__name__)

#: Seconds between two starts of the same worker.
_PAUSE = 1.0
#: Seconds beyond their grace in which workers flush and end.
_FLUSH = 10.0


def supervise(
    command: Sequence[str],
    workers: int,
    options: ServerOptions,
    *,
    ready: Callable[[str], object],
) -> int:
    """Keep ``workers`` processes of ``command`` serving one port; the exit code.

    A worker is started as ``command --port PORT --worker INDEX --control FD``, and gives FD to its
    own ``ServerOptions.control``. ``ready`` gets the URL once all of them answer. SIGHUP goes to
    every worker; SIGTERM or SIGINT stops them gracefully, a second one at once. A worker that dies
    before it ever answered ends them all: its bundle is wrong. Raises OSError when the port is
    taken.
    """
    with _reserve(options) as port:
        return asyncio.run(_Supervisor(command, workers, options, port, ready).run())


def _reserve(options: ServerOptions) -> socket.socket:
    """A bound socket that keeps the port ours and never gets a connection."""
    with listen(options) as probe:  # without SO_REUSEPORT: another's port is an error
        host, port = probe.getsockname()[:2]
    keeper = socket.socket(family(options.host))
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind((host, port))
    return keeper


class _Supervisor:
    def __init__(
        self,
        command: Sequence[str],
        workers: int,
        options: ServerOptions,
        port: socket.socket,
        ready: Callable[[str], object],
    ) -> None:
        self._command = [*command, "--port", str(port.getsockname()[1])]
        self._options = replace(options, port=port.getsockname()[1])
        self._waiting = set(range(workers))
        self._url = url(port, options)
        self._ready = ready
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._tell, signal.SIGHUP)
        await asyncio.gather(*(self._keep(index) for index in sorted(self._waiting)))
        return self._code

    def _stop(self) -> None:
        self._tell(signal.SIGKILL if self._stopping.is_set() else signal.SIGTERM)
        self._stopping.set()

    def _tell(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, index: int) -> None:
        """One worker's place: a process in it, until we stop."""
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._live(index)
            if self._stopping.is_set():
                return
            if index in self._waiting:
                logger.error("Worker %d ended with %d before it answered.", index, code)
                self._code = 1
                self._stop()
                return
            logger.warning("Worker %d ended with %d; another takes its place.", index, code)
            pause = _PAUSE - (time.monotonic() - started)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(0.0, pause))

    async def _live(self, index: int) -> int:
        """One worker's life."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                control = theirs.fileno()
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    "--worker",
                    str(index),
                    "--control",
                    str(control),
                    pass_fds=[control],
                )
            self._processes[index] = process
            announcement = asyncio.ensure_future(self._announce(index, ours))
            try:
                return await self._end(process)
            finally:
                announcement.cancel()
                del self._processes[index]

    async def _announce(self, index: int, ours: socket.socket) -> None:
        ours.settimeout(0)
        if not await asyncio.get_running_loop().sock_recv(ours, 1):
            return
        if index in self._waiting:
            self._waiting.discard(index)
            if not self._waiting:
                self._ready(self._url)

    async def _end(self, process: asyncio.subprocess.Process) -> int:
        """Wait for a worker; once we stop, no longer than its grace."""
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        try:
            return await asyncio.wait_for(ended, self._options.grace_seconds + _FLUSH)
        except asyncio.TimeoutError:
            process.kill()
            return await process.wait()
