"""RESULTS.md: the tables of a run, the machine, the versions and the command."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from benchmarks.aims import reached
from benchmarks.load import Figures
from benchmarks.rivals import VERSIONS
from benchmarks.streams import StreamFigures

PATH = Path(__file__).with_name("RESULTS.md")
_LIBRARIES = ("flask", "werkzeug", "uvicorn", "uvloop", "httptools", "httpcore", "orjson")
_WHOLE = ("", "CPU µs/request", "requests/s", "p50 ms", "p95 ms", "p99 ms", "MB", "errors")
_STREAMED = ("", "CPU µs/chunk", "first p50 ms", "first p99 ms", "late p50 ms", "late p99 ms")
_COUNTED = ("MB", "errors", "chunks")
_EXPLAINED = (
    "What is measured, and how: the head of [peers.py](peers.py). `bare` declares a route and a"
    " model and nothing else; each of the others declares what it is called as well. There is no"
    " gateway without a record; that of all but `record` and `all` holds no texts. `late` is the"
    " time from the upstream's sending of a chunk to its arrival at the caller, `first` that from"
    " the request to the first chunk."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of one table."""

    table: str
    name: str
    figures: Figures | StreamFigures
    errors: int

    def cells(self) -> list[str]:
        """As in the table's head."""
        found = self.figures
        if isinstance(found, Figures):
            speed = [f"{found.cpu:,.0f}", f"{found.rate:,.0f}"]
            times = [f"{each:.1f}" for each in (found.p50, found.p95, found.p99)]
            return [self.name, *speed, *times, f"{found.memory:.0f}", str(self.errors)]
        times = [f"{found.first_p50:.1f}", f"{found.first_p99:.1f}"]
        times += [f"{found.late_p50:.1f}", f"{found.late_p99:.1f}"]
        counts = [f"{found.memory:.0f}", str(self.errors), f"{found.chunks:,}"]
        return [self.name, f"{found.cpu:.1f}", *times, *counts]

    def head(self) -> Sequence[str]:
        """The titles of the cells."""
        return _WHOLE if isinstance(self.figures, Figures) else (*_STREAMED, *_COUNTED)

    def line(self) -> str:
        """For a terminal."""
        cells = self.cells()
        told = (f"{title} {cell}" for title, cell in zip(self.head()[1:], cells[1:], strict=True))
        return f"{self.table:18} {self.name:11} " + "  ".join(told)


def write(rows: Sequence[Row], machine: str, arguments: str, minutes: float) -> None:
    """Write RESULTS.md anew."""
    PATH.write_text(_text(rows, machine, arguments, minutes), encoding="utf-8")


def _text(rows: Sequence[Row], machine: str, arguments: str, minutes: float) -> str:
    tables = (
        _table(name, [row for row in rows if row.table == name])
        for name in dict.fromkeys(row.table for row in rows)
    )
    return "\n\n".join([_head(machine, arguments, minutes), *tables, _aims(rows)]) + "\n"


def _head(machine: str, arguments: str, minutes: float) -> str:
    command = f"python -m benchmarks.peers {arguments}".strip()
    day = datetime.now(tz=timezone.utc).date().isoformat()
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    peers = ", ".join(f"{name} {VERSIONS[name]}" for name in VERSIONS)
    return "\n".join(
        [
            "# Results",
            "",
            f"`{command}` on {day}, {minutes:.0f} minutes, at commit {_commit()}.",
            "",
            f"- Machine: {machine}; the gateway on one core, load and upstream on the other.",
            f"- Ours: Python {platform.python_version()}, {libraries}.",
            f"- Peers: {peers}; Node {_said('node', '--version')}. Each with nothing switched on.",
            "",
            _EXPLAINED,
        ]
    )


def _table(name: str, rows: Sequence[Row]) -> str:
    head = rows[0].head()
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    body = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"## {name[:1].upper()}{name[1:]}\n\n{body}"


def _aims(rows: Iterable[Row]) -> str:
    """What was aimed at, and how near the run came."""
    found = {(row.table, row.name): {**asdict(row.figures), "errors": row.errors} for row in rows}
    cells = [
        f"| {aim.text} | {'>=' if aim.least else '<='} {aim.bound:,g} | {_short(value)} |"
        f" {'met' if aim.met(value) else 'missed'} |"
        for aim, value in reached(found)
    ]
    head = ["## Aims", "", "|  | aim | measured |  |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *cells])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _commit() -> str:
    return _said("git", "-C", str(PATH.parent), "rev-parse", "--short", "HEAD")


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
