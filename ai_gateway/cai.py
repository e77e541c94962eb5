"""Cloudera AI runs an application's script as cells of an IPython kernel.

There ``__file__`` is missing, ``sys.argv`` is the kernel's and an event loop is running already, so
the real work goes into a process of its own; the script returns when that ends, as CAI expects.
That process reads a pipe which only the kernel can write to: when the kernel is gone, however it
went, the pipe ends, and the process with it.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, cast


class Ended(Exception):
    """The process failed; what it said about it stands above, in the same log."""


def in_kernel() -> bool:
    """Whether this script is run by IPython rather than by Python itself.

    That the libraries are loaded says nothing (Panel loads them): a shell must be running.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return shell is not None and shell() is not None


def run_outside(script: str, arguments: Sequence[str]) -> None:
    """Run ``python script arguments`` until it ends; raises Ended when it failed.

    SIGTERM, an interrupt of the cell and the end of the kernel stop it gracefully.
    """
    command = [sys.executable, "-u", "-m", __name__, script, *arguments]
    # A session of its own, since the kernel's end sends SIGTERM again and again to its group, and
    # a second one would cut off the requests in flight.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603 - our own
        code = _wait(process)
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        raise Ended(f"{' '.join([script, *arguments])} {how}; the reason stands above.")


def _wait(process: subprocess.Popen[bytes]) -> int:
    pipe = cast("IO[bytes]", process.stdin)
    before = signal.signal(signal.SIGTERM, lambda *_: pipe.close())
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    told_to = pipe.closed and code == -signal.SIGTERM  # a program that takes SIGTERM as it is
    return 0 if told_to else code


def main(arguments: Sequence[str]) -> None:
    """Run a script as Python would; SIGTERM it when nobody holds the other end of stdin."""
    threading.Thread(target=_follow, args=(os.dup(0),), name="kernel", daemon=True).start()
    sys.argv = list(arguments)
    runpy.run_path(arguments[0], run_name="__main__")


def _follow(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
