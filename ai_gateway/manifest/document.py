"""A YAML file of the bundle as plain values that know where they stand.

``read`` never raises: what is wrong is in ``Document.problems``; ``validate`` adds what a pydantic
model finds wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ai_gateway.manifest import yaml12
from ai_gateway.manifest.located import Document, Location, glimpse
from ai_gateway.manifest.problem import Problem
from ai_gateway.manifest.validation import validate
from ai_gateway.manifest.yaml12 import MAX_CHARACTERS, MAX_DEPTH, Unreadable

__all__ = ["Document", "Location", "read", "validate"]

#: Counted with every alias written out, so that aliases of aliases cannot explode.
MAX_VALUES = 100_000

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read(
    source: Path | str, file: str | None = None, variables: Mapping[str, str] | None = None
) -> Document:
    """The document at a Path, or in a text; ``file`` is the name that problems show.

    With ``variables``, ``${NAME}`` in a text is replaced by the variable's value; a variable that
    is unset or empty is a problem. Without, ``${`` is plain text.
    """
    builder = _Builder(file or str(source if isinstance(source, Path) else "text"), variables)
    try:
        text = _text(source) if isinstance(source, Path) else source
        node = yaml12.compose(text)
        value = None if node is None else builder.build(node, ())
    except Unreadable as error:
        builder.report(error.line, (), error.found, error.wanted)
        return builder.document(None, readable=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return replace(builder.document(value, readable=True), digest=f"sha256:{digest}")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_CHARACTERS + 1)
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(line, "bytes that are not UTF-8", "UTF-8") from None
    except OSError as error:
        found = f"no readable file ({error.strerror})"
        raise Unreadable(None, found, "a file that can be read") from None


class _Builder:
    """Walks the node graph once, from the root down."""

    def __init__(self, file: str, variables: Mapping[str, str] | None) -> None:
        self._file = file
        self._environment = variables
        self._problems: list[Problem] = []
        self._lines: dict[Location, int] = {}
        self._variables: dict[Location, tuple[str, ...]] = {}
        self._count = 0

    def document(self, value: Any, *, readable: bool) -> Document:
        return Document(
            self._file,
            value,
            tuple(self._problems),
            readable,
            self._lines,
            self._variables,
            self._environment or {},
        )

    def report(self, line: int | None, location: Location, found: str, wanted: str) -> None:
        key = ".".join(map(str, location))
        self._problems.append(Problem(self._file, line, key, found, wanted))

    def build(self, node: yaml.Node, location: Location, line: int | None = None) -> Any:
        line = line or yaml12.line_of(node)
        self._lines.setdefault(location, line)
        self._count += 1
        if self._count > MAX_VALUES or len(location) > MAX_DEPTH:
            wanted = f"at most {MAX_VALUES:,} values, {MAX_DEPTH} deep, with aliases written out"
            raise Unreadable(line, "aliases that grow without bound", wanted)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location, line)
        if not yaml12.is_plain(node):
            self._refuse_tag(node, location, line)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*location, i)) for i, child in enumerate(node.value)]
        return {
            key: self.build(child, (*location, key), at)
            for key, child, at in self._children(node, location)
        }

    def _children(
        self, node: yaml.Node, location: Location
    ) -> Iterator[tuple[str, yaml.Node, int]]:
        first: dict[str, int] = {}
        for key, value in node.value:
            line = yaml12.line_of(key)
            if not isinstance(key, yaml.ScalarNode):
                self.report(line, location, "a key that is a list or a mapping", "keys of text")
            elif key.value in first:
                found = f"the key a second time (first on line {first[key.value]})"
                self.report(line, (*location, key.value), found, "each key once")
            else:
                first[key.value] = line
                yield key.value, value, line

    def _scalar(self, node: yaml.ScalarNode, location: Location, line: int) -> Any:
        try:
            value = yaml12.scalar(node)
        except ValueError:
            self._refuse_tag(node, location, line)
            return str(node.value)
        if self._environment is None or not isinstance(value, str):
            return value
        return self._interpolate(value, location, line)

    def _refuse_tag(self, node: yaml.Node, location: Location, line: int) -> None:
        self.report(line, location, f"the tag {glimpse(node.tag)}", "a plain value without a tag")

    def _interpolate(self, text: str, location: Location, line: int) -> str:
        environment = self._environment or {}
        names = tuple(dict.fromkeys(_VARIABLE.findall(text)))
        if names:
            self._variables[location] = names
        if "${" in _VARIABLE.sub("", text):
            self.report(line, location, "${ without a name and }", "${NAME}")
        for name in names:
            if not environment.get(name):
                found = f"${{{name}}}, and the variable {name} is not set"
                self.report(line, location, found, f"a value for {name} in the environment")
        return _VARIABLE.sub(lambda match: environment.get(match[1]) or match[0], text)
