"""Patterns over bytes, one a character."""

from __future__ import annotations

from typing import Any

import re2


def compiled(pattern: str) -> Any:
    """An RE2 pattern over Latin-1 bytes: linear in the text, whatever it says."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode("latin-1"), options=options)
