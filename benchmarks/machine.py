"""Programs on pinned cores, and what they use: CPU time and memory from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: The gateway under test has a core to itself; load and upstream share the other one.
GATEWAY, LOAD = 0, 1
_TICK: int = os.sysconf("SC_CLK_TCK")
_PAGE: int = os.sysconf("SC_PAGE_SIZE")
_START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Program:
    """What is started, and the URL that answers (with anything) once it serves."""

    name: str
    command: Sequence[str]
    url: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def running(program: Program, core: int) -> Iterator[int]:
    """``program`` on ``core``, answering; its process id. All that it started ends with it."""
    log = program.folder / f"{program.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *program.command],
            cwd=program.folder,
            env={**os.environ, **program.environment},  # noqa: TID251 - a program of its own
            stdout=output,
            stderr=output,
        )
    try:
        _await(program, process, log)
        yield process.pid
    finally:
        _end(process)


def _await(program: Program, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(program.url, timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            time.sleep(0.1)
            continue
        return
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"{program.name} does not answer:\n{tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    pids = tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, queue = [], [root]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds (user and system) and resident megabytes of a process and all below it."""

    seconds: float
    megabytes: float


def usage(root: int) -> Usage:
    """What ``root``'s tree has used so far."""
    ticks = pages = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            fields = stat.rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
            pages += int(fields[21])
    return Usage(ticks / _TICK, pages * _PAGE / 1e6)


def described() -> str:
    """The machine in a line, and how busy it is with other work."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line for line in info.splitlines() if line.startswith("model name")), ":")
    memory = os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30
    release = os.uname().release
    parts = [f"{os.cpu_count()} x {model.split(':')[1].strip()}", f"{memory:.0f} GiB"]
    return ", ".join([*parts, f"Linux {release}, load {os.getloadavg()[0]:.1f} before the run"])
