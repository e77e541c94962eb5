"""YAML text to PyYAML's node graph, by the rules of YAML 1.2 and within limits.

PyYAML reads YAML 1.1, in which ``off`` is false, ``012`` is ten and ``1:30`` is ninety. Here a
plain scalar is null (``null``, ``~`` or nothing), a boolean (``true``, ``false``), a decimal
number, or else text: ``on``, ``off``, ``yes``, ``no``, ``none``, ``012``, ``0x1F``, ``1:30``,
dates and ``<<`` stay what they look like.
"""

from __future__ import annotations

import json
import re
from typing import Final

import yaml

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 64

_TAG = "tag:yaml.org,2002:"
_PLAIN = {
    "null": (re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    # At most 18 digits: it fits 64 bits, and no text makes int() slow.
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z"), list("-+0123456789")),
    # Two digits of exponent: it fits a double.
    "float": (
        re.compile(
            r"[-+]?(?:\.[0-9]{1,18}|(?:0|[1-9][0-9]{0,17})\.[0-9]{0,18})(?:[eE][-+]?[0-9]{1,2})?\Z"
        ),
        list("-+.0123456789"),
    ),
    "str": (re.compile(""), []),
}


class Unreadable(Exception):
    """The text is no document: on which line, what was found and what would be right."""

    def __init__(self, line: int | None, found: str, wanted: str) -> None:
        super().__init__(found)
        self.line = line
        self.found = found
        self.wanted = wanted


class _Loader(yaml.CSafeLoader):
    pass


def learn(kind: type[yaml.CSafeLoader | yaml.SafeDumper]) -> None:
    """Make a reader or writer of PyYAML's tell plain scalars by these rules, after its own."""
    for name, (pattern, first) in _PLAIN.items():
        kind.add_implicit_resolver(_TAG + name, pattern, first)


_Loader.yaml_implicit_resolvers = {}
learn(_Loader)


def compose(text: str) -> yaml.Node | None:
    """The root node of ``text``, None where it is empty; raises Unreadable."""
    if len(text) > MAX_CHARACTERS:
        wanted = f"at most {MAX_CHARACTERS:,} characters"
        raise Unreadable(None, f"{len(text):,} characters", wanted)
    try:
        _check_depth(text)
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise Unreadable(line, f"no YAML ({error.problem})", "YAML that parses") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character #x{error.character:04x}"
        raise Unreadable(line, found, "printable characters") from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise Unreadable(line, "a lone surrogate", "text that is UTF-8") from None


def _check_depth(text: str) -> None:
    """Events come one by one; libyaml's composer recurses in C and would take the process down."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Unreadable(line_of(event), "deeper nesting", f"at most {MAX_DEPTH} levels")


def line_of(place: yaml.Node | yaml.Event) -> int:
    """The line, from 1, on which a node or an event begins."""
    return place.start_mark.line + 1 if place.start_mark else 1


def scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    """The value of a scalar; raises ValueError for a tag, or a tagged text, that is not plain."""
    kind = node.tag.removeprefix(_TAG)
    if kind not in _PLAIN or not _PLAIN[kind][0].match(node.value):
        raise ValueError(kind)
    if kind == "null":
        return None
    if kind == "bool":
        return bool(json.loads(node.value.lower()))
    if kind == "int":
        return int(node.value)
    return float(node.value) if kind == "float" else str(node.value)


def is_plain(node: yaml.Node) -> bool:
    """Whether a collection is a list or a mapping, not a set or an object that a tag names."""
    return node.tag in {f"{_TAG}seq", f"{_TAG}map"}
