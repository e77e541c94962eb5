"""Regular expressions over foreign text: RE2, whose time is linear in the text."""

from __future__ import annotations

import re
from typing import Any

import re2

_SURROGATES = re.compile("[\ud800-\udfff]")


def searchable(text: str) -> str:
    """``text`` as RE2 takes it, of the same length.

    RE2 reads UTF-8, which has no lone surrogates; each becomes U+FFFD. Places in what comes back
    are places in ``text``.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


def compiled(regex: str | bytes, *, ignore_case: bool = False, max_memory: int = 8 << 20) -> Any:
    """``regex`` as a pattern of RE2, for ``searchable`` texts; ValueError says what is wrong.

    ``max_memory`` in bytes bounds its program and its caches. Places are in characters.
    """
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.max_mem = max_memory
    options.log_errors = False
    try:
        return re2.compile(regex, options)
    except re2.error as error:
        (reason,) = error.args
        raise ValueError(reason.decode(errors="replace")) from None
