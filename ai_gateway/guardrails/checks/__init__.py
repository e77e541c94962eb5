"""The check types: every module here is one. A new one is a new file, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ai_gateway.guardrails.check import Check, Matcher

_MODULES = [
    importlib.import_module(f"{__name__}.{module.name}")
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
]

#: The parameters' models, in the order of their files' names.
MODELS: tuple[type[Check], ...] = tuple(module.Parameters for module in _MODULES)

_BUILDERS: Mapping[type[Check], Callable[[Any], Matcher]] = MappingProxyType(
    {module.Parameters: module.build for module in _MODULES}
)


def build(parameters: Check) -> Matcher:
    """The matcher of any check."""
    return _BUILDERS[type(parameters)](parameters)
