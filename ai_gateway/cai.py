"""Cloudera AI runs an application's script as cells of an IPython kernel.

There ``__file__`` is missing, ``sys.argv`` is the kernel's and an event loop is running already, so
the real work goes into a process of its own; the script returns when that ends, as CAI expects.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType


def in_kernel() -> bool:
    """Whether this script is run by a kernel rather than by Python itself."""
    return "ipykernel" in sys.modules or "IPython" in sys.modules


def run_outside(script: str, arguments: Sequence[str]) -> None:
    """Run ``python script arguments`` until it ends; a failure of it is a failure here."""
    process = subprocess.Popen([sys.executable, "-u", script, *arguments])  # noqa: S603 - our own

    def stop(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
        process.terminate()
        process.wait()
    if code:
        raise SystemExit(code)
