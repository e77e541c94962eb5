"""What a command found, as a table for a person or as JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def show(value: Any, rows: Sequence[Row], columns: Sequence[str], form: str | None) -> None:
    """Write ``value`` as JSON, or ``rows`` as a table; by default what stdout is for."""
    if form_of(form) == "json":
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(table(rows, columns))


def form_of(form: str | None) -> str:
    """``table`` or ``json``: what was said, else what stdout is for."""
    return form or ("table" if sys.stdout.isatty() else "json")


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Lines with ``columns`` below their names; those that no row has are left out."""
    used = [name for name in columns if any(row.get(name) is not None for row in rows)]
    if not used:
        return "none\n"
    lines = [[name.upper() for name in used]]
    lines += [[cell(row.get(name)) for name in used] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def cell(value: Any) -> str:
    """One value; what would steer the terminal is shown as a question mark."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}={cell(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(cell, value))
    return "".join(each if each.isprintable() else "?" for each in str(value))
