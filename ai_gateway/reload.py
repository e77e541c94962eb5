"""A changed bundle takes force in the running process, or the old one stays and says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock

from ai_gateway.manifest.load import MANIFEST, Bundle, load
from ai_gateway.manifest.problem import Problem
from ai_gateway.service import Service
from ai_gateway.watch import Watch

log = logging.getLogger(__name__)


class Reloader:
    """Reloads when asked, and when a file of the bundle changed.

    Files are read and hashed again and again, since network file systems and mounted ConfigMaps
    tell nobody of a change.
    """

    def __init__(
        self,
        service: Service,
        bundle: Bundle,
        apply: Callable[[Bundle], None],
        *,
        workers: int = 1,
        every: float = 1.0,
    ) -> None:
        self._service = service
        self._guarded = bool(bundle.policies.names)
        self._apply = apply
        self._workers = workers
        self._seen = self._forced = bundle.fingerprint
        self._place = service.control.follow(bundle)
        self._lock = Lock()
        self._watch = Watch("reload", every, self._look)
        service.control.host = self

    def start(self) -> Reloader:
        """Follow the files, from what they are by now; raises StoreUnavailable, see Place."""
        self._place.start()
        self._look()
        self._watch.start()
        return self

    def stop(self) -> None:
        """Follow them no longer."""
        self._watch.stop()

    def reload(self) -> bool:
        """Load the bundle as it is on disk now; False when it does not check."""
        before = self._forced
        problems = self.force()
        self._service.audit.note(
            None,
            "bundle.reload",
            "bundle",
            {"bundle": before},
            {"bundle": self._forced},
            outcome="invalid_bundle" if problems else "done",
        )
        return not problems

    def force(self) -> list[Problem]:
        """Put the bundle on disk in force, or say why not and keep the old one."""
        with self._lock:
            metrics = self._service.metrics
            self._seen = self._place.seen()
            problems = self._load()
            if problems:
                log.error("the bundle does not check, so the old one stays in force:")
            for problem in problems:
                log.error("%s", problem)
            metrics.bundle_current.set(not problems)
            metrics.reloads.labels("refused" if problems else "done").inc()
            self._service.state.problems = tuple(problems)
            return problems

    def check(self, folder: Path) -> list[Problem]:
        """What is wrong with the bundle in ``folder``, were it to be put in force here."""
        return self._read(folder)[1]

    def _read(self, folder: Path) -> tuple[Bundle | None, list[Problem]]:
        service = self._service
        bundle, problems = load(
            replace(service.settings, bundle=folder),
            workers=self._workers,
            loopback=service.loopback,
        )
        if bundle and self._guarded and not bundle.policies.names:
            # A folder that is away for a moment must not switch the guardrails off.
            return None, [Problem("policies", None, "", "no policy", "one, as there was before")]
        return bundle, problems

    def _load(self) -> list[Problem]:
        """Put the bundle on disk in force, or say why not; whatever happens, following goes on."""
        service = self._service
        try:
            with self._place.unpacked() as folder:
                bundle, problems = self._read(folder)
            if bundle:
                self._apply(bundle)
                service.forget(bundle)
                self._guarded = bool(bundle.policies.names)
                self._forced = bundle.fingerprint
                log.info("the bundle was reloaded: %s", bundle.digest)
        except Exception as error:
            log.exception("the bundle cannot be put in force")
            name = type(error).__name__
            return [Problem(MANIFEST, None, "", name, "a bundle that can be put in force")]
        return problems

    def _look(self) -> None:
        if self._place.seen() != self._seen:
            self.reload()
