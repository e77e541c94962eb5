"""A process that runs one tick over a real store: ``python -m tests.judge.ticking DATA WAL``.

Its judge takes 20 ms an answer; a line on standard output says that one more is scored.
"""

import sys
import time
from pathlib import Path
from random import Random

from ai_gateway.clock import SystemClock
from ai_gateway.judge import tick
from ai_gateway.records import Records
from tests.judge.conftest import Model, World, manifest, says


def say(call):
    """A slow judge."""
    time.sleep(0.02)
    return says(0.5)(call)


def progress(items, *, total):
    """Tell the test how far this is."""
    for item in items:
        sys.stdout.write(f"{total}\n")
        sys.stdout.flush()
        yield item


if __name__ == "__main__":
    clock = SystemClock()
    with Records.open(sys.argv[1], Path(sys.argv[2]), clock, background=False) as records:
        world = World(records, clock, manifest(), Random())
        tick.run(world.context(Model(say), progress=progress))
