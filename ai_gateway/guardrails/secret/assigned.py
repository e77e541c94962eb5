"""Values of what is called a password, a token or a key, whoever issued it.

A name with what assigns to it is found by one pattern; the value behind it is read from there, so
that a name within a value is seen as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import re2

#: "tiktoken" is no token.
NAMES = (
    "pass(?:word|wd|phrase)|pwd|secret|(?:^|[^k])token|credentials?|_pass|_auth|(?:api|access|secret"
    "|auth|private|encryption|signing|master|account|client)[ _.-]?key"
)
#: ``name =``, ``"name": ``, ``name: str =``, ``--name ``, ``<name>``, ``name is``; then a quote.
_OPENING = re2.compile(
    rf"(?i)(?:(?:{NAMES})"
    r"(?:\\?[\"'`\])]{0,2}\s{0,4}(?::\s?[A-Za-z]{3,10}\s?=|:=|=>|={1,3}|:)\s{0,4}| is:?\s{1,2}|>)"
    rf"|\s--?[0-9a-z-]*(?:{NAMES})[ =])\\?[\"'`]?"
)
#: One class and nothing behind it: no backtracking, and a third of RE2's cost for so short a text.
_BARE = re.compile(rb"[^\s\"'`<>,;(){}\[\]&|\\]{6,}")
_SHORTEST = 6
_QUOTES = b"\"'`"
#: Behind a bare value these make it a call, an index or a template.
_CODE = (b"(", b"[", b"{")
_FULL_STOPS = (b".", b"?", b"!", b":")
_GAPS = (b"", b" ", b"\n", b"\r")


def values(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the values stand, quotes left out; ``data`` has one byte a character."""
    openings = [opening.span() for opening in _OPENING.finditer(data)]
    for (_, start), (other, _) in pairwise([*openings, (len(data), len(data))]):
        if other - start < _SHORTEST:
            continue
        # A value that holds another opening is none: that one's is. So no character is read twice.
        quoted = data[start - 1] in _QUOTES
        end = (_closing if quoted else _bare_end)(data, start, other + 1)
        if start + _SHORTEST <= end <= other:
            yield start, end


def _closing(data: bytes, start: int, stop: int) -> int:
    """Where the quoted value ends; -1 where it does not, on its line."""
    end = data.find(data[start - 1 : start], start, stop)
    if b"\n" in data[start : max(start, end)]:
        return -1
    return end - (data[end - 1 : end] == b"\\")


def _bare_end(data: bytes, start: int, stop: int) -> int:
    """Where the value without quotes ends; -1 where that is code."""
    bare = _BARE.match(data, start, stop)
    if bare is None or data[bare.end() : bare.end() + 1] in _CODE:
        return -1
    end = bare.end()
    # <token> is a placeholder, unless it is an element that ends behind the value.
    if data[start - 1 : start] == b">" and data[start - 2 : start] != b"=>":
        return end if data[end : end + 2] == b"</" else -1
    # A sentence ends behind it.
    return end - (data[end - 1 : end] in _FULL_STOPS and data[end : end + 1] in _GAPS)
