"""The one way to change the bundle: alone, as of a known version, checked, written, in force."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ai_gateway.clock import Clock
from ai_gateway.contract import Event
from ai_gateway.control import files
from ai_gateway.control.audit import DONE, Audit
from ai_gateway.control.changes import Change
from ai_gateway.control.files import Files
from ai_gateway.control.places import Folder, Place, Shared
from ai_gateway.control.splice import Uneditable
from ai_gateway.errors import (
    Conflict,
    GatewayError,
    InvalidBundle,
    PreconditionFailed,
    PreconditionRequired,
    internal_error,
)
from ai_gateway.manifest.load import FOLDERS, MANIFEST, Bundle
from ai_gateway.manifest.problem import Problem, counted
from ai_gateway.records.keyring import Keyring
from ai_gateway.settings import Settings

log = logging.getLogger(__name__)

#: Problems that a refusal tells.
_TOLD = 100


class Host(Protocol):
    """The process that serves the bundle."""

    def check(self, folder: Path) -> list[Problem]:
        """What is wrong with the bundle in ``folder``, were it to be put in force here."""

    def force(self) -> list[Problem]:
        """Put the bundle as it is now in force, or say why not and keep the old one."""


@dataclass(slots=True)
class Control:
    """Changes the bundle of one process; it outlives every reload. Any thread may call it."""

    settings: Settings
    clock: Clock
    audit: Audit
    #: Set by who serves; without one there is nothing that a change could be put in force in.
    host: Host | None = None
    #: Where the bundle is read and written.
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        self.place = Folder(self.settings.bundle, self.clock)

    def follow(self, bundle: Bundle) -> Place:
        """The place of ``bundle``, which was loaded from its folder; set once, at the start."""
        folder, declared = self.settings.bundle, bundle.manifest.bundles == "shared"
        if declared or not files.writable(folder):
            keyring = Keyring.of(self.settings.encryption)
            data = self.settings.data
            self.place = Shared(folder, data, self.clock, strict=declared, keyring=keyring)
        return self.place

    def files(self) -> Files:
        """The bundle as it is now, in force or not."""
        return self.place.read()

    def change(
        self,
        event: Event,
        action: str,
        object: str,  # noqa: A002 - as the audit log calls it
        edit: Callable[[Files], Change],
        *,
        version: Callable[[Files], bool] = lambda _: False,
    ) -> tuple[Change, str]:
        """Do ``edit``, and have it in force; the edit, and the digest of the bundle after it.

        ``version`` says of the files that are there whether If-Match is a must. Whatever is
        refused is refused before anything is changed. Every attempt is in the audit log.
        """
        try:
            with self.place.locked():
                done = self._change(event, edit, version)
        except GatewayError as error:
            self.audit.note(event, action, object, outcome=error.code)
            raise
        except Uneditable as error:
            self.audit.note(event, action, object, outcome=Conflict.code)
            raise Conflict(f"This cannot be changed through the API: {error}.") from None
        except Exception as error:
            log.exception("request %s could not change the bundle", event.request_id)
            self.audit.note(event, action, object, outcome=GatewayError.code)
            raise internal_error(event.request_id) from error
        change, before, after = done
        self.audit.note(
            event,
            action,
            object,
            {"bundle": before.digest, "value": change.before},
            {"bundle": after.digest, "value": change.after},
        )
        return change, after.digest

    def _change(
        self, event: Event, edit: Callable[[Files], Change], version: Callable[[Files], bool]
    ) -> tuple[Change, Files, Files]:
        before = self.place.read()
        _check_version(event, before, required=version(before))
        change = edit(before)
        after = change.whole or before.changed(change.file, change.content)
        self._check(after)
        self.place.write(before, after, change.file)
        try:
            self._force()
        except GatewayError:
            self.place.write(after, before, change.file)
            self._force()
            raise
        return change, before, after

    @property
    def versions(self) -> Shared:
        """Where versions are kept; raises Conflict where the bundle's folder is written."""
        if not isinstance(self.place, Shared):
            raise Conflict("The bundle is written in its own folder, and has no versions here.")
        return self.place

    def reload(self, event: Event) -> str:
        """Put the bundle on disk in force; the digest of it. Raises InvalidBundle."""
        outcome = DONE
        try:
            self._force()
        except GatewayError as error:
            outcome = error.code
            raise
        finally:
            self.audit.note(event, "bundle.reload", "bundle", outcome=outcome)
        return self.files().digest

    def _check(self, changed: Files) -> None:
        with tempfile.TemporaryDirectory(prefix="ai-gateway-") as folder:
            files.copy(changed, self.settings.bundle, Path(folder))
            problems = self._host.check(Path(folder))
            _refuse(problems, "nothing was changed")

    def _force(self) -> None:
        _refuse(self._host.force(), "the old bundle stays in force")

    @property
    def _host(self) -> Host:
        if self.host is None:
            raise Conflict("This process serves no bundle that could be changed.")
        return self.host


def _refuse(problems: Sequence[Problem], outcome: str) -> None:
    """Raise InvalidBundle with a line for each problem, if there are any."""
    lines = [str(replace(each, file=_relative(each.file))) for each in problems[:_TOLD]]
    if len(problems) > _TOLD:
        lines.append(f"and {len(problems) - _TOLD} more")
    if lines:
        raise InvalidBundle("\n".join([*lines, f"{counted(problems)}; {outcome}"]))


def _relative(file: str) -> str:
    """A file by its place in the bundle, wherever that is unpacked."""
    for name in (MANIFEST, *FOLDERS):
        if (at := file.rfind(f"/{name}")) >= 0:
            return file[at + 1 :]
    return file


def _check_version(event: Event, found: Files, *, required: bool) -> None:
    """If-Match by RFC 9110, 13.1.1: a list of strong tags, or ``*``."""
    wanted = event.headers.get("if-match", "").strip()
    if not wanted and required:
        raise PreconditionRequired(
            "Send If-Match with the ETag of what you have seen, or * to change whatever is there."
        )
    tags = [tag.strip() for tag in wanted.split(",")]
    if wanted and wanted != "*" and etag(found.digest) not in tags:
        raise PreconditionFailed("The bundle has changed; read it again.", headers=tagged(found))


def etag(digest: str) -> str:
    """A digest as a header's value."""
    return f'"{digest}"'


def tagged(found: Files) -> dict[str, str]:
    """The header that tells which version of the bundle a reply is of."""
    return {"etag": etag(found.digest)}
