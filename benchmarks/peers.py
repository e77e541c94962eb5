"""The gateway beside its floor and its peers: CPU time, speed, memory and errors, in one run.

    python -m benchmarks.peers [PART ...] [--seconds 4] [--rounds 3] [--only NAME ...]

Parts: ``matrix`` (32 connections, an upstream that answers at once), ``inflight`` (1,000 and 2,000
requests in flight, an upstream that takes 0.5 s), ``streams`` (50 and 500 at 20 chunks a second,
and streams as fast as they come), ``memory`` (after 10,000 requests and after ``--requests``, which
takes six minutes, so only when named). RESULTS.md holds the parts of the last run.

The gateway under test has core 0, wrk and the upstream (nginx with its echo module) share core 1,
so that the gateway is what saturates. CPU time is user and system time of the process tree over the
requests served: the figure to trust on a machine with other work.
Debian: ``nginx libnginx-mod-http-echo wrk``; peers need ``node`` and ``npm``.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import load, machine, report, rivals, source, streams, subjects
from benchmarks.report import Row
from benchmarks.rivals import RIVALS
from benchmarks.subjects import VARIANTS, Subject

#: Makes a subject in a folder, before an upstream's origin.
Make = Callable[[Path, str], Subject]
_DEFAULT = ("matrix", "inflight", "streams")
#: Seconds after which every record is in Parquet, and what that took is given back.
_SETTLE = 8


class Run:
    """One run of the parts asked for."""

    def __init__(self, options: argparse.Namespace, folder: Path, origin: str) -> None:
        self._options = options
        self._folder = folder
        self._origin = origin
        self._count = 0

    @contextlib.contextmanager
    def started(self, make: Make, upstream: str) -> Iterator[tuple[int, Subject]]:
        """A subject on its core, before ``upstream``; its process id."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        subject = make(folder, self._origin + upstream)
        with machine.running(subject.program, machine.GATEWAY) as root:
            yield root, subject

    def matrix(self) -> Iterator[Row]:
        """CPU time and speed of each, the best of several rounds: other work only adds."""
        seconds, rounds = self._options.seconds, range(self._options.rounds)
        for name, root, subject in self._each(_all(), source.INSTANT):
            found = [load.measure(root, subject.asked, 32, seconds) for _ in rounds]
            best = min(found, key=lambda figures: figures.cpu)
            yield Row("matrix", name, best, errors=sum(figures.errors for figures in found))

    def inflight(self) -> Iterator[Row]:
        """Many requests that wait for a slow upstream."""
        for count in (1000, 2000):
            for name, root, subject in self._each(
                _ours() | _rivals("portkey", "firstpass"), source.SLOW
            ):
                found = load.measure(root, subject.asked, count, 2 * self._options.seconds)
                yield Row(f"{count:,} in flight", name, found, errors=found.errors)

    def streams(self) -> Iterator[Row]:
        """Streams at a model's pace, and as fast as they come.

        Portkey is not among them: 1.15.2 answers each with a 500 on Node 20 (immutable headers).
        """
        cases = [("50 streams", source.STREAM, 50, 3), ("500 streams", source.STREAM, 500, 3)]
        cases += [("16 streams, no pause", source.QUICK_STREAM, 16, 20)]
        for label, upstream, count, rounds in cases:
            for name, root, subject in self._each(_ours() | _rivals("firstpass"), upstream):
                found = streams.measure(root, subject.streamed(), count, rounds)
                yield Row(label, name, found, errors=found.errors)

    def memory(self) -> Iterator[Row]:
        """What is resident after the first requests, and after very many."""
        everything = {"all": _ours(("all",))["all"]}
        for name, root, subject in self._each(everything, source.INSTANT):
            for wanted in (10_000, self._options.requests):
                found = self._until(root, subject, wanted)
                time.sleep(_SETTLE)
                found = replace(found, memory=machine.usage(root).megabytes)
                yield Row(f"after {wanted:,} requests", name, found, errors=found.errors)

    def _each(self, makes: dict[str, Make], upstream: str) -> Iterator[tuple[str, int, Subject]]:
        """Each subject while it runs; one that does not start is told and left out."""
        only = self._options.only
        for name, make in makes.items():
            if only and name not in only:
                continue
            try:
                with self.started(make, upstream) as (root, subject):
                    yield name, root, subject
            except RuntimeError as error:
                print(error, flush=True)

    def _until(self, root: int, subject: Subject, wanted: int) -> load.Figures:
        """Load for about ``wanted`` requests, a quarter of them to warm up."""
        found = load.measure(root, subject.asked, 32, 3)
        left = wanted - found.requests / 0.6
        seconds = 0.75 * left / found.rate
        return load.measure(root, subject.asked, 32, seconds) if seconds > 1 else found


def _ours(names: tuple[str, ...] = ("bare", "all")) -> dict[str, Make]:
    def of(name: str) -> Make:
        return lambda folder, upstream: subjects.gateway(folder, upstream, VARIANTS[name])

    return {"floor": subjects.floor} | {name: of(name) for name in names}


def _rivals(*names: str) -> dict[str, Make]:
    def of(name: str, place: Path) -> Make:
        return lambda folder, upstream: RIVALS[name](place, folder, upstream)

    places = {name: rivals.installed(name) for name in names}
    return {name: of(name, place) for name, place in places.items() if place}


def _all() -> dict[str, Make]:
    return _ours(tuple(VARIANTS)) | _rivals(*RIVALS)


def main() -> None:
    """Measure, print, and write RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join((*_DEFAULT, 'memory'))}")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one load")
    parser.add_argument("--rounds", type=int, default=3, help="of each load of the matrix")
    parser.add_argument("--only", nargs="*", default=[], help="names out of the tables")
    parser.add_argument("--requests", type=int, default=1_000_000, help="of the part memory")
    parser.add_argument("--dry", action="store_true", help="leave RESULTS.md as it is")
    options = parser.parse_args()
    described, started, rows = machine.described(), time.monotonic(), []
    with tempfile.TemporaryDirectory() as name, source.started(Path(name)) as origin:
        run = Run(options, Path(name), origin)
        for part in options.parts or _DEFAULT:
            for row in getattr(run, part)():
                print(row.line(), flush=True)
                rows.append(row)
    minutes = (time.monotonic() - started) / 60
    print(f"{minutes:.1f} minutes")
    if not options.dry:
        report.write(rows, described, " ".join(sys.argv[1:]), minutes)


if __name__ == "__main__":
    main()
