"""The bundle as its files have it: variables by their names, credentials masked."""

from __future__ import annotations

import hashlib
from typing import Any

from ai_gateway.contract import Context, Reply
from ai_gateway.control import changes
from ai_gateway.control.control import tagged
from ai_gateway.control.files import Files
from ai_gateway.control.masking import masked
from ai_gateway.control.splice import Uneditable
from ai_gateway.errors import Conflict, NotFound
from ai_gateway.manifest import document


def shown_routes(context: Context) -> Reply:
    """Every route, in the order of the file."""
    files = context.control.files()
    found = [masked(entry) for entry in changes.routes(_manifest(files))]
    return Reply({"routes": found}, headers=tagged(files))


def shown_route(context: Context, name: str) -> Reply:
    """One route; raises NotFound."""
    files = context.control.files()
    for entry in changes.routes(_manifest(files)):
        if entry["name"] == name:
            return Reply(masked(entry), headers=tagged(files))
    raise NotFound(f"There is no route {name[:64]!r}.")


def shown_models(context: Context) -> Reply:
    """Every model by its name."""
    files = context.control.files()
    models = _manifest(files).get("models") or {}
    return Reply({"models": masked(models)}, headers=tagged(files))


def shown_policies(context: Context) -> Reply:
    """Every policy's name, and the SHA-256 of its file."""
    files = context.control.files()
    found = [
        {"name": _stem(path), "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
        for path, content in sorted(files.contents.items())
        if path.startswith("policies/") and path.endswith((".yaml", ".yml"))
    ]
    return Reply({"policies": found}, headers=tagged(files))


def shown_policy(context: Context, name: str) -> Reply:
    """One policy, as its file's text and as what that says; raises NotFound."""
    files = context.control.files()
    content = files.contents.get(changes.policy_file(files, name))
    if content is None:
        raise NotFound(f"There is no policy {name[:64]!r}.")
    text = content.decode("utf-8", "replace")
    body = {"name": name, "yaml": text, "policy": document.read(text).value}
    return Reply(body, headers=tagged(files))


def _stem(path: str) -> str:
    return path.partition("/")[2].rpartition(".")[0]


def _manifest(files: Files) -> dict[str, Any]:
    try:
        return changes.manifest(files)
    except Uneditable as error:
        raise Conflict(f"The bundle on disk cannot be shown: {error}.") from None
