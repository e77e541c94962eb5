"""The encoded runs of a text, and what they say: base64, hex, percent signs, escapes, rot13.

Runs are found in one pass of RE2 over the text as ASCII, a byte a character, so that a place in it
is one in the text. Base64 of text is told from words by what its letters can be: of each four, the
first two say that the top bits of a byte are those of a letter, a digit or a sign.
"""

from __future__ import annotations

import binascii
import codecs
import html
import re
import string
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from ai_gateway.guardrails.linear import compiled

_NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"
#: A share of characters that are none (1 / so many), up to which what was unpacked is a text.
_READABLE = 10
#: Words that may stand between two of rot13: names, and words that no policy knows.
_STRANGERS = 4
#: Words of rot13 that make it rot13, of so many letters each: be is or.
_EVIDENCE = 2
_SHORTEST = 3

_TEXT = (9, 10, 13, *range(32, 127))
_NO_CONTROLS = bytes(byte for byte in range(256) if byte >= ord(" ") or byte in _TEXT)
#: What escapes begin with, and nothing else that is encoded has.
_MARKS = (b"%", b"&", b"\\")
_SEPARATORS = b" \t\r\n,:;-"
#: Letters of a word that is no end of base64.
_SHORTEST_WORD = 4
_LONGEST_WORD = 24
#: Digits of a phone, a card, an account: words of so few have letters alone.
_LONGEST_NUMBER = 24
_STANDARD = bytes.maketrans(b"-_", b"+/")
_HEX_DIGITS = string.hexdigits.encode()


def _letters(values: Iterable[int]) -> str:
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    letters = "".join(sorted({alphabet[value] for value in values}))
    return f"[{letters}_-]" if "+" in letters else f"[{letters}]"


_FIRST = _letters(a >> 2 for a in _TEXT)
_SECOND = _letters((a & 3) << 4 | b >> 4 for a in _TEXT for b in _TEXT)
_THIRD = _letters((a & 15) << 2 | b >> 6 for a in _TEXT for b in _TEXT)
_FOURTH = _letters(a & 63 for a in _TEXT)

_X = "[0-9A-Fa-f]"
#: Also as a percent sign writes it: `_unescape` undoes both at once, so both are one run.
_BACKSLASH = r"(?:\\|%5[Cc])"
_ONE_ESCAPE = (
    rf"(?:{_BACKSLASH}(?:x{_X}{{2}}|u{_X}{{4}}|u\{{{_X}{{1,6}}\}}|U{_X}{{8}})|%{_X}{{2}}"
    rf"|&#[0-9]{{1,9}};?|&#[xX]{_X}{{1,8}};?|&[A-Za-z][A-Za-z0-9]{{1,30}};)"
)
_ESCAPES = rf"{_ONE_ESCAPE}(?:[A-Za-z0-9._~+]{{0,8}}{_ONE_ESCAPE})*"
_BETWEEN = r"[ \t\r\n,:;-]{0,2}"
_HEX_ASCII = rf"(?:0x)?(?:[2-7]{_X}|0[9ADad])"
_HEX_ANY = rf"(?:0x)?{_X}{{2}}"
_HEX = rf"\b{_HEX_ANY}(?:{_BETWEEN}{_HEX_ANY}){{7,}}|\b{_HEX_ASCII}(?:{_BETWEEN}{_HEX_ASCII}){{3,}}"
_BASE64_ANY = r"[A-Za-z0-9+/_-]{20,}(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/_-]+)*(?:\s{0,2}={1,2})?"
_FOUR = _FIRST + _SECOND + _THIRD + _FOURTH
_BASE64_ASCII = rf"\b{_FOUR}(?:\s{{0,3}}{_FOUR})*\s{{0,3}}{_FIRST}{_SECOND}(?:{_THIRD}{_FOURTH}?)?"
_ENCODED = compiled(f"{_ESCAPES}|{_HEX}|{_BASE64_ANY}|{_BASE64_ASCII}(?:={{1,2}}|\\b)".encode())
#: Base64 of a text in what is none, from the start of a word on, or so long that it is no chance.
_STRETCH = compiled(
    rf"(?:\b(?:{_FOUR}){{2,}}|(?:{_FOUR}){{6,}})(?:{_FIRST}{_SECOND}{_THIRD}?)?={{0,2}}".encode()
)

_ESCAPED = re.compile(
    r"((?:\\x[0-9A-Fa-f]{2})+)|\\(?:u\{([0-9A-Fa-f]+)\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))"
)
_WORD = re.compile(r"[A-Za-z]+")
_COMMON = (
    "about and any are but can for from get give have how make not out that the them then there"
    " this use was what when where which who will with you your"
)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An encoded run, from ``start`` to before ``end`` in characters, and the text that it is."""

    start: int
    end: int
    text: str


def unpack(text: str) -> list[Unpacked]:
    """The encoded runs of ``text`` in order, one level of each; none overlap. Linear.

    What is no text when it is unpacked is left out, and no run becomes longer. A word in rot13 has
    no shape of its own: see ``turned``.
    """
    data = text.encode("ascii", "replace")
    return [
        Unpacked(start, end, said)
        for start, end in _places(data)
        if (said := _say(data[start:end]))
    ]


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    """Encoded runs; those that touch are one: base64 in which a sign is a percent sign's."""
    start = end = 0
    for match in _ENCODED.finditer(data):
        first, last = match.span()
        if first != end or data[end - 1 : end] == b"=":
            if end:
                yield start, end
            start = first
        end = last
    if end:
        yield start, end


def _say(run: bytes) -> str:
    if any(mark in run for mark in _MARKS):
        text = _unescape(run.decode())
        return text if text != run.decode() and _readable(text) else ""
    digits = run.translate(None, _SEPARATORS).replace(b"0x", b"")
    if not digits.translate(None, _HEX_DIGITS):
        text = _text(bytes.fromhex(digits[: len(digits) // 2 * 2].decode()))
        number = digits.isdigit() and len(digits) <= _LONGEST_NUMBER
        return "" if number and not text.replace(" ", "").isalnum() else text
    return _lines(run.splitlines()) or _inside(run)


def _lines(lines: list[bytes]) -> str:
    """Base64 in lines; words that stand alone on the last of them are not of it."""
    whole = _base64(b"".join(lines))
    stop = len(lines)
    if not whole or _NO_CHARACTER in whole:
        while stop > 1 and len(lines[stop - 1]) > _SHORTEST_WORD and _is_word(lines[stop - 1]):
            stop -= 1
    if stop == len(lines):
        return whole
    text = _base64(b"".join(lines[:stop]))
    return text and "\n".join([text, *(line.decode() for line in lines[stop:])])


def _inside(run: bytes) -> str:
    """A path, a list or junk with base64 in it."""
    text: bytes = _STRETCH.sub(lambda part: _base64(part[0]).encode() or part[0], run)
    return text.decode() if text != run else ""


def _is_word(letters: bytes) -> bool:
    """Whether it is ancient, Indian, IGNORE: base64 has letters of both cases, or digits."""
    inside = letters[1:]
    short = len(letters) <= _LONGEST_WORD
    return short and inside.isalpha() and (inside.islower() or inside.isupper())


def _unescape(run: str) -> str:
    said = html.unescape(unquote(run))
    if "\\" in said:
        said = _ESCAPED.sub(_character, said)
        # Two halves of a character in UTF-16 are one.
        said = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return said


def _character(escaped: re.Match[str]) -> str:
    if escaped[1]:
        return bytes.fromhex(escaped[1].replace("\\x", "")).decode(errors="replace")
    code = int(escaped[2] or escaped[3] or escaped[4], 16)
    return chr(code) if code <= sys.maxunicode else _NO_CHARACTER


def _base64(run: bytes) -> str:
    letters = run.translate(_STANDARD, b" \t\r\n=")
    if _is_word(letters):
        return ""
    whole = letters[: len(letters) - (len(letters) % 4 == 1)]
    return _text(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))


def _text(data: bytes) -> str:
    encoding = "utf-16-le" if data[1::2].count(0) * 2 > len(data) // 2 else "utf-8"
    text = data.decode(encoding, "replace")
    return text if _readable(text) else ""


def _readable(text: str) -> bool:
    controls = len(text.encode("utf-8", "replace").translate(None, _NO_CONTROLS))
    return (controls + text.count(_NO_CHARACTER)) * _READABLE <= len(text)


def rot13(words: Iterable[str]) -> frozenset[str]:
    """What betrays rot13: ``words``, and common English ones, turned around.

    Left out is what is one of these words both ways.
    """
    known = frozenset(_COMMON.split()).union(words)
    usable = (word for word in known if len(word) >= _SHORTEST and _WORD.fullmatch(word))
    return frozenset(codecs.encode(word, "rot13") for word in usable) - known


def turned(text: str, known: frozenset[str]) -> list[Unpacked]:
    """The parts of ``text`` that are rot13, by words out of ``rot13``; as long as they were."""
    if known.isdisjoint(text.lower().split()):
        return []
    return [
        Unpacked(start, end, codecs.encode(text[start:end], "rot13"))
        for start, end in _stretches(text, known)
    ]


def _stretches(text: str, known: frozenset[str]) -> Iterator[tuple[int, int]]:
    start = end = found = 0
    strangers = _STRANGERS + 1
    for match in _WORD.finditer(text):
        if match[0].lower() in known:
            if strangers > _STRANGERS:
                if found >= _EVIDENCE:
                    yield start, end
                start, found = match.start(), 0
            found, strangers, end = found + 1, 0, match.end()
        else:
            strangers += 1
    if found >= _EVIDENCE:
        yield start, end
