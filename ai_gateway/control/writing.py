"""Values as YAML text that reads back as the same values, by YAML 1.2 and by YAML 1.1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from ai_gateway.manifest import yaml12


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A text of several lines stands on one, escaped, so that no indentation can change it."""
    breaks = any(character in text for character in "\n\r\x85\u2028\u2029")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, '"' if breaks else None)


# A text that either version would take for something else is quoted.
yaml12.learn(_Dumper)
_Dumper.add_representer(str, _text)


def inline(value: object) -> str:
    """``value`` on one line, as it may stand behind a key."""
    return _dump([value], flow=True)[1:-2]


def block(value: Mapping[str, object]) -> list[str]:
    """The lines of a mapping, one a key."""
    return [_line(key, each) for key, each in value.items()]


def _line(key: str, value: object) -> str:
    if isinstance(value, (list, dict)):
        return f"{inline(key)}: {inline(value)}"
    return _dump({key: value}, flow=False)[:-1]


def _dump(value: object, *, flow: bool) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return text
