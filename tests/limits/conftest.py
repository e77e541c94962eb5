"""A real Redis, and a clock that a test moves."""

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from tests.clocks import Moved


@dataclass
class Clock(Moved):
    """One that begins a little ahead of the machine's own."""

    time: float = field(default_factory=lambda: float(round(time.time()) + 60))


class Redis:
    """A redis-server of a test's own, which it can stop and start."""

    def __init__(self) -> None:
        self._program = shutil.which("redis-server")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def there(self) -> bool:
        """Whether this machine has one."""
        return self._program is not None

    def start(self) -> None:
        """Begin empty, and wait until it answers."""
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError

    def stop(self) -> None:
        """Forget everything, and answer nobody."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Take connections, and never answer."""
        self._process.send_signal(19)

    def thaw(self) -> None:
        """Answer again."""
        self._process.send_signal(18)


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def redis():
    """A redis-server of the test's own, running."""
    pytest.importorskip("redis")
    server = Redis()
    if not server.there:
        pytest.skip("there is no redis-server here")
    server.start()
    yield server
    server.stop()
