"""Edits of a manifest's text that leave every other character where it is.

A file that people write has comments, blank lines and an order of its own; a library that reads
it and writes it again brings its own ideas of indentation and quotes. So the text is cut at the
marks of the node graph, and only an entry's own lines are new. Whatever the file looks like, the
new text is read again: it must say what was meant, or the edit is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml

from ai_gateway import strictjson
from ai_gateway.control import writing
from ai_gateway.manifest import document, yaml12
from ai_gateway.manifest.yaml12 import Unreadable


class Uneditable(Exception):
    """The text has a form that only a person should edit; the message says which."""


def plain(text: str) -> dict[str, Any]:
    """What ``text`` says, ``${NAME}`` as it is written; raises Uneditable."""
    found = document.read(text)
    if found.problems or not isinstance(found.value, dict):
        wrong = next(iter(found.problems), "it is no mapping")
        raise Uneditable(f"the file does not read as a manifest: {wrong}")
    return found.value


def append(text: str, section: str, entry: Mapping[str, object]) -> str:
    """``text`` with ``entry`` behind the last one of ``section``, which is made where it lacks."""
    wanted = plain(text)
    wanted[section] = [*(wanted.get(section) or []), dict(entry)]
    pair = _pair(_root(text), section)
    if pair is None:
        lines = [f"{section}:", *_item(entry, 2)]
        return _checked(_insert(text, len(text), lines), wanted)
    sequence = pair[1]
    if sequence.value == [] and isinstance(sequence, yaml.SequenceNode):
        head = text[: sequence.start_mark.index].rstrip(" ")
        text = head + text[sequence.end_mark.index :]
        return _checked(_insert(text, _line_end(text, len(head)), _item(entry, 2)), wanted)
    _block_list(sequence, section)
    at = _line_end(text, _end(text, sequence))
    return _checked(_insert(text, at, _item(entry, sequence.start_mark.column)), wanted)


def remove(text: str, section: str, index: int) -> str:
    """``text`` without the entry at ``index``; a section that is left empty goes too.

    Comments behind the section's key stay, and an empty list with them.
    """
    wanted = plain(text)
    key, sequence = _there(text, section)
    del wanted[section][index]
    node = sequence.value[index]
    start = _dash_line(text, sequence, node)
    end = _line_end(text, _end(text, node))
    if wanted[section]:
        return _checked(_cut(text, start, end), wanted)
    colon = text.index(":", key.end_mark.index) + 1
    if text[colon:start].strip():
        return _checked(text[:colon] + " []" + _cut(text, start, end)[colon:], wanted)
    del wanted[section]
    return _checked(_cut(text, _line_start(text, key.start_mark.index), end), wanted)


def put(text: str, section: str, index: int, key: str, value: object) -> str:
    """``text`` with ``key: value`` in the entry at ``index``; without the key where it is None."""
    wanted = plain(text)
    _, sequence = _there(text, section)
    entry = wanted[section][index]
    if value is not None:
        entry[key] = deepcopy(value)
    elif entry.pop(key, None) is None:
        return text
    node = sequence.value[index]
    pair = _pair(node, key)
    if value is None:
        return _checked(_without(text, node, key), wanted)
    line = f"{key}: {writing.inline(value)}"
    if pair is not None:
        start, end = pair[0].start_mark.index, _end(text, pair[1])
        if isinstance(pair[1], yaml.ScalarNode) or _braces(pair[1]):
            start, line = pair[1].start_mark.index, writing.inline(value)
        return _checked(text[:start] + line + text[end:], wanted)
    end = _end(text, node.value[-1][1])
    if node.flow_style:
        return _checked(f"{text[:end]}, {line}{text[end:]}", wanted)
    indent = " " * node.start_mark.column
    return _checked(_insert(text, _line_end(text, end), [indent + line]), wanted)


def _without(text: str, node: yaml.MappingNode, key: str) -> str:
    keys = [pair[0].value for pair in node.value]
    at = keys.index(key)
    mine, value = node.value[at]
    if at == 0:  # what follows takes its place, on the line of the entry's dash or bracket
        if len(keys) == 1:
            raise Uneditable(f"the entry would be empty without {key}")
        following = node.value[1][0].start_mark.index
        return text[: mine.start_mark.index] + text[following:]
    if node.flow_style:
        before = _end(text, node.value[at - 1][1])
        return text[:before] + text[_end(text, value) :]
    start = _line_start(text, mine.start_mark.index)
    return _cut(text, start, _line_end(text, _end(text, value)))


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    """``text``, if it says what is wanted; as JSON, in which 1, 1.0 and true differ."""
    if strictjson.dumps(plain(text)) != strictjson.dumps(wanted):
        raise Uneditable("the file's form does not allow this edit; make it by hand")
    return text


def _root(text: str) -> yaml.Node:
    if text.startswith("\ufeff"):
        raise Uneditable("the file begins with a byte order mark")
    try:
        root = yaml12.compose(text)
    except Unreadable as error:  # pragma: no cover - `plain` has read it
        raise Uneditable(error.found) from None
    if root is None or _braces(root):
        raise Uneditable("the file is written in braces; write one key a line")
    return root


def _pair(mapping: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = (pair for pair in mapping.value if pair[0].value == key)
    return next(pairs, None)


def _there(text: str, section: str) -> tuple[yaml.Node, yaml.SequenceNode]:
    pair = _pair(_root(text), section)
    if pair is None:
        raise Uneditable(f"there is no {section}")
    return pair[0], _block_list(pair[1], section)


def _block_list(node: yaml.Node, section: str) -> yaml.SequenceNode:
    if not isinstance(node, yaml.SequenceNode) or node.flow_style:
        raise Uneditable(f"{section} is not written as a list with a line for each entry")
    return node


def _braces(node: yaml.Node) -> bool:
    return bool(getattr(node, "flow_style", None))


def _end(text: str, node: yaml.Node) -> int:
    """Behind the last character of a node; marks of blocks stand behind what follows them."""
    last = node
    while not isinstance(last, yaml.ScalarNode) and not _braces(last):
        child = last.value[-1]
        last = child[1] if isinstance(child, tuple) else child
    return len(text[: last.end_mark.index].rstrip())


def _dash_line(text: str, sequence: yaml.Node, node: yaml.Node) -> int:
    """Where the line of an entry's dash begins."""
    start = _line_start(text, node.start_mark.index)
    column = sequence.start_mark.column
    if text[start : node.start_mark.index].rstrip() != " " * column + "-":
        raise Uneditable("an entry does not begin on the line of its dash")
    return start


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _item(entry: Mapping[str, object], column: int) -> list[str]:
    lines = writing.block(entry)
    return [" " * column + ("- " if at == 0 else "  ") + line for at, line in enumerate(lines)]


def _insert(text: str, at: int, lines: list[str]) -> str:
    """Whole lines before ``at``, where a line begins or the text ends."""
    newline = "\r\n" if "\r\n" in text else "\n"
    added = newline.join(lines)
    if at and text[at - 1] != "\n":  # the last line has no end; the new last one has none either
        return text[:at] + newline + added + text[at:]
    return text[:at] + added + newline + text[at:]


def _cut(text: str, start: int, end: int) -> str:
    """Without the lines from ``start`` to ``end``, which leave no end of a line behind."""
    if end == len(text) and not text.endswith("\n") and start:
        start -= 2 if text[start - 2 : start] == "\r\n" else 1
    return text[:start] + text[end:]
