"""From ``functions.inference:handle`` to the function itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

from ai_gateway.contract import Handler

_SPEC = re.compile(r"functions(\.[a-z_][a-z0-9_]*)+:[a-z_][a-z0-9_]*")


#: What answers a route that has a target and no function.
PROXY = "functions.proxy:handle"


class UnknownFunction(Exception):
    """What a spec names is not there; holds what was found and what would be right."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found)
        self.found = found
        self.wanted = wanted


def resolve(spec: str) -> Handler:
    """The handler that ``spec`` names, below ``functions.`` only; raises UnknownFunction."""
    if not _SPEC.fullmatch(spec):
        raise UnknownFunction(spec, "functions.MODULE:NAME, such as functions.ping:handle")
    module_name, name = spec.split(":")
    module = _import(module_name)
    handler: Handler | None = getattr(module, name, None)
    if not callable(handler):
        found = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        wanted = f"a function of {module_name}: {', '.join(found) or 'it has none'}"
        raise UnknownFunction(spec, wanted)
    return handler


def _import(module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise UnknownFunction(
                f"{module_name}, which needs the module {error.name}", "a module that is installed"
            ) from None
        modules = ", ".join(_modules(module_name.rpartition(".")[0]))
        raise UnknownFunction(module_name, f"one of {modules}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken module hides no other problem
        raise UnknownFunction(
            f"{module_name}, which fails to import with {type(error).__name__}",
            "a module that imports",
        ) from None


def _modules(package: str) -> list[str]:
    """What there is in ``package``, or in the nearest one above it that exists."""
    try:
        path = importlib.import_module(package).__path__
    except ModuleNotFoundError:
        above = package.rpartition(".")[0]
        return _modules(above) if above else ["(there is no folder functions/)"]
    return [f"{package}.{module.name}" for module in pkgutil.iter_modules(path)]
