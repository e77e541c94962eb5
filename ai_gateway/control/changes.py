"""What a request makes of the bundle's files: an edit of one of them, worked out and not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_gateway.control import splice, writing
from ai_gateway.control.bodies import WRITABLE, NewRoute, Secured
from ai_gateway.control.files import Files
from ai_gateway.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from ai_gateway.manifest import document
from ai_gateway.manifest.checks import hosts
from ai_gateway.manifest.load import MANIFEST
from ai_gateway.manifest.model import name_by_path

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One file's new content, None to remove it, and the entry before and after for the audit."""

    file: str
    content: bytes | None
    before: Any
    after: Any
    #: All files, where it is more than that one.
    whole: Files | None = None


def manifest(files: Files) -> dict[str, Any]:
    """The manifest as it is written, ``${NAME}`` by its name; raises Uneditable."""
    return splice.plain(_text(files))


def routes(found: Mapping[str, Any]) -> list[Entry]:
    """Its routes, each with its name and methods, and what ``security`` says of it."""
    secured: dict[str, Entry] = {}
    for entry in _entries(found, "security"):
        secured[str(entry.get("endpoint"))] = entry
    shown: list[Entry] = []
    for entry in _entries(found, "routes"):
        extra = secured.get(str(entry.get("path")), {})
        also: Entry = {key: extra[key] for key in ("auth", "rateLimit") if key in extra}
        shown.append({"name": name_of(entry), "methods": ["POST"], **also, **entry})
    return shown


def name_of(entry: Entry) -> str:
    """A route's name, its own or by its path."""
    return str(entry.get("name") or name_by_path(str(entry.get("path"))))


def add_route(files: Files, body: NewRoute) -> Change:
    """A route more; raises Conflict where there is one, BadRequest for a host that is not named."""
    found, entry = manifest(files), body.entry()
    _refuse_known(entry, _entries(found, "routes"))
    _refuse_host(str(entry["target"]), found)
    text = splice.append(_text(files), "routes", entry)
    return _change(text, None, {"name": name_of(entry), **entry})


def put_route(files: Files, name: str, body: NewRoute, *, known: bool) -> Change:
    """The route of that name as ``body`` says it, whole: in place of what is there, or new.

    Raises PreconditionFailed where there is none and it is to be a ``known`` one; Conflict where
    the one that is there has keys that no body can say, which would be lost.
    """
    if body.name not in (None, name):
        raise BadRequest(f"The route is {name[:64]!r} by its address.", param="name")
    found = manifest(files)
    index = _place(found, name)
    if index is not None:
        return _replaced(files, found, index, body.entry())
    if known:
        raise PreconditionFailed(f"There is no route {name[:64]!r} to replace.")
    said = None if name_by_path(body.path) == name else name
    return add_route(files, body.model_copy(update={"name": said}))


def _replaced(files: Files, found: Mapping[str, Any], index: int, entry: Entry) -> Change:
    entries = _entries(found, "routes")
    old = entries[index]
    _refuse_unsayable(old)
    _refuse_host(str(entry["target"]), found)
    entry.pop("name", None)
    if "name" in old or name_by_path(entry["path"]) != name_of(old):
        entry["name"] = name_of(old)
    if "methods" not in old and entry.get("methods") == ["POST"]:
        del entry["methods"]
    text = _text(files)
    if _alone(entries, old):
        text = _resecured(text, found, old, entry)
    for key in [*entry, *sorted(old.keys() - entry.keys())]:
        if not _same(old.get(key), entry.get(key)):
            text = splice.put(text, "routes", index, key, entry.get(key))
    return _change(text, routes(found)[index], routes(splice.plain(text))[index])


def _resecured(text: str, found: Mapping[str, Any], old: Entry, entry: Entry) -> str:
    """``security`` of the route's path as ``entry`` has it; what is said there leaves ``entry``."""
    path = str(old.get("path"))
    if entry["path"] != path:
        return _without_security(text, found, path)
    said = _security(text, path)
    for key in sorted(said.keys() & {"auth", "rateLimit"}):
        if not _same(said[key], entry.get(key)):
            text = splice.put(text, "security", _index(text, path), key, entry.get(key))
        if key not in old:
            entry.pop(key, None)
    return _without_empty(text, path)


def _same(old: object, new: object) -> bool:
    """Whether the file says it already: one text may stand for a list of it."""
    return new in (old, [old])


def remove_route(files: Files, name: str) -> Change:
    """A route less, and what ``security`` says of its path if no other route has it."""
    text, found = _text(files), manifest(files)
    entries = _entries(found, "routes")
    index = _place(found, name)
    if index is None:
        raise NotFound(f"There is no route {name[:64]!r}.")
    if _alone(entries, entries[index]):
        text = _without_security(text, found, entries[index].get("path"))
    return _change(splice.remove(text, "routes", index), entries[index], None)


def has_route(files: Files, name: str) -> bool:
    """Whether there is a route of that name; raises Uneditable."""
    return _place(manifest(files), name) is not None


def _place(found: Mapping[str, Any], name: str) -> int | None:
    entries = enumerate(_entries(found, "routes"))
    return next((at for at, entry in entries if name_of(entry) == name), None)


def _alone(entries: list[Entry], mine: Entry) -> bool:
    """Whether no other route has its path."""
    return [entry.get("path") for entry in entries].count(mine.get("path")) == 1


def secure(files: Files, path: str, body: Secured) -> Change:
    """Each key where the endpoint has it, on its route or in ``security``, or else in the latter.

    Raises NotFound for a path that no route has.
    """
    text, found = _text(files), manifest(files)
    entries = [entry for entry in _entries(found, "routes") if entry.get("path") == path]
    if not entries:
        raise NotFound(f"No route has the path {path[:200]}.")
    if not body.keys():
        raise BadRequest("Say authType, rateLimit or both.")
    for key, value in body.keys().items():
        text = _secured(text, path, key, value)
    text = _without_empty(text, path)
    return _change(text, _effective(found, path), _effective(splice.plain(text), path))


def _secured(text: str, path: str, key: str, value: object) -> str:
    found = splice.plain(text)
    everywhere = True
    for index, entry in enumerate(_entries(found, "routes")):
        if entry.get("path") == path and key in entry:
            text = splice.put(text, "routes", index, key, value)
        elif entry.get("path") == path:
            everywhere = False
    entry = _security(text, path)
    if entry and (key in entry or not everywhere):
        return splice.put(text, "security", _index(text, path), key, value)
    if everywhere or value is None:
        return text
    return splice.append(text, "security", {"endpoint": path, key: value})


def _without_empty(text: str, path: str) -> str:
    """An entry that says nothing any more goes."""
    if _security(text, path).keys() == {"endpoint"}:
        return splice.remove(text, "security", _index(text, path))
    return text


def _security(text: str, path: str) -> Entry:
    entries = _entries(splice.plain(text), "security")
    return next((entry for entry in entries if entry.get("endpoint") == path), {})


def _index(text: str, path: str) -> int:
    entries = _entries(splice.plain(text), "security")
    return [entry.get("endpoint") for entry in entries].index(path)


def _without_security(text: str, found: Mapping[str, Any], path: object) -> str:
    for index, entry in enumerate(_entries(found, "security")):
        if entry.get("endpoint") == path:
            return splice.remove(text, "security", index)
    return text


def _effective(found: Mapping[str, Any], path: str) -> list[Entry]:
    keys = ("name", "auth", "rateLimit")
    mine = [entry for entry in routes(found) if entry.get("path") == path]
    return [{key: entry[key] for key in keys if key in entry} for entry in mine]


def put_policy(files: Files, name: str, text: str) -> Change:
    """A policy's file, new or in place of the one of that name."""
    file = policy_file(files, name)
    return Change(file, text.encode(), _policy(files, file), document.read(text).value)


def remove_policy(files: Files, name: str) -> Change:
    """A policy less; raises NotFound."""
    file = policy_file(files, name)
    if file not in files.contents:
        raise NotFound(f"There is no policy {name[:64]!r}.")
    return Change(file, None, _policy(files, file), None)


def restore(files: Files, older: Files, number: int) -> Change:
    """All files as they were in an older version; raises Conflict where nothing would change."""
    if files.digest == older.digest:
        raise Conflict(f"The bundle is what it was in version {number}.")
    return Change(MANIFEST, None, None, {"version": number}, whole=older)


def policy_file(files: Files, name: str) -> str:
    """Where a policy is, or would be."""
    other = f"policies/{name}.yml"
    return other if other in files.contents else f"policies/{name}.yaml"


def policy_yaml(value: Mapping[str, object]) -> str:
    """A policy that came as JSON, as a file's text."""
    return "\n".join([*writing.block(value), ""])


def _policy(files: Files, file: str) -> Any:
    content = files.contents.get(file)
    return None if content is None else document.read(content.decode("utf-8", "replace")).value


def _text(files: Files) -> str:
    try:
        return files.contents[MANIFEST].decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        raise splice.Uneditable("it cannot be read as UTF-8") from None


def _entries(found: Mapping[str, Any], section: str) -> list[Entry]:
    """The entries of a section; raises Uneditable where one is no mapping."""
    entries = found.get(section) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise splice.Uneditable(f"{section} is no list of mappings")
    return entries


def _change(text: str, before: Any, after: Any) -> Change:
    return Change(MANIFEST, text.encode(), before, after)


def _refuse_known(entry: Entry, others: list[Entry]) -> None:
    for other in others:
        if name_of(other) == name_of(entry):
            raise Conflict(f"There is a route {name_of(entry)} already.")


def _refuse_unsayable(entry: Entry) -> None:
    if only := ", ".join(sorted(entry.keys() - WRITABLE)):
        raise Conflict(f"The route has {only[:200]}, which only the bundle's routes.yaml can say.")


def _refuse_host(target: str, found: Mapping[str, Any]) -> None:
    """What may be reached is the operator's to say: a route that is added adds no host."""
    url = hosts.split(target)
    if url is None:
        raise BadRequest("The target is no URL: http://HOST:PORT, without a user.", param="target")
    known = found.get("allowed_hosts")
    if known is None:
        targets = (hosts.split(str(entry.get("target"))) for entry in _entries(found, "routes"))
        known = [each.hostname for each in targets if each]
    if not hosts.allowed(url.hostname or "", map(str, known)):
        raise BadRequest(
            f"The host {(url.hostname or '')[:200]!r} does not stand in allowed_hosts of "
            f"routes.yaml, which has {', '.join(map(str, known)) or 'none'}.",
            param="target",
        )
