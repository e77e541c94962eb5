"""A bundle is changed by one at a time, whole or not at all."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.contract import Event
from ai_gateway.control import files
from ai_gateway.control.bodies import NewRoute
from ai_gateway.control.changes import add_route
from ai_gateway.control.control import Control
from ai_gateway.errors import Conflict, GatewayError, InvalidBundle
from ai_gateway.manifest.model import Route
from ai_gateway.manifest.problem import Problem
from ai_gateway.settings import Settings
from tests.conftest import ROOT

MANIFEST = """version: 1
# ours
routes:
  - {path: /ping, function: "functions.ping:handle"}
allowed_hosts: [a]
"""
EVENT = Event("r", Route(path="/"), "POST", "/", 0.0)


@dataclass
class Notes:
    """An audit log in memory."""

    rows: list = field(default_factory=list)

    def note(self, _event, action, what, *_values, outcome="done"):
        """Keep what came."""
        self.rows.append((action, what, outcome))


@dataclass
class Host:
    """A process that finds what it is told to find."""

    wrong: list = field(default_factory=list)

    def check(self, folder):
        """Nothing, but a bundle that is whole."""
        assert (folder / "routes.yaml").exists()
        return []

    def force(self):
        """The next thing that is wrong."""
        return self.wrong.pop(0) if self.wrong else []


@pytest.fixture
def bundle(tmp_path):
    """A bundle with a policy, a link and something beside it."""
    folder = tmp_path / "bundle"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "p.yaml").write_text("version: 1\n")
    (folder / "schemas").mkdir()
    (folder / "routes.yaml").write_text(MANIFEST)
    return folder


def control(folder, host=None, clock=None):
    """A Control on ``folder``, and its log."""
    found = Control(Settings(bundle=folder), clock or SystemClock(), Notes())
    found.host = host or Host()
    return found


def adding(number):
    """An edit that adds a route."""
    body = NewRoute(path=f"/r{number}", target="http://a:1")
    return lambda found: add_route(found, body)


def test_a_write_leaves_mode_and_link_and_no_other_file(bundle, tmp_path) -> None:
    """Whoever may read the file still may, and a link to it stays a link."""
    path = bundle / "routes.yaml"
    path.rename(tmp_path / "real.yaml")
    path.symlink_to(tmp_path / "real.yaml")
    path.chmod(0o640)
    control(bundle).change(EVENT, "a", "o", adding(1))
    assert path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert "path: /r1" in path.read_text()
    left = sorted(each.name for each in bundle.iterdir())
    assert left == [".admin.lock", "policies", "routes.yaml", "schemas"]


def test_a_write_that_fails_leaves_the_old_file(bundle) -> None:
    """The disk is full, say: nothing is half written, nothing is left lying about."""
    (bundle / "policies" / "d.yaml").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(bundle, "policies/d.yaml", b"x")
    left = sorted(each.name for each in bundle.iterdir())
    assert left == ["policies", "routes.yaml", "schemas"]


def test_what_is_read_is_what_a_bundle_consists_of(bundle) -> None:
    """Hidden files and folders are no part of it; any change of content is another digest."""
    (bundle / "policies" / ".hidden.yaml").write_text("x")
    (bundle / "policies" / "folder").mkdir()
    found = files.read(bundle)
    assert sorted(found.contents) == ["policies/p.yaml", "routes.yaml"]
    assert found.changed("a", b"x").digest != found.digest
    assert found.changed("a", b"x").changed("a", None) == found


def test_a_copy_has_what_stands_beside_the_bundle(bundle, tmp_path) -> None:
    """A check may need a file of it; what is written to the copy does not reach the bundle."""
    copy = tmp_path / "copy"
    copy.mkdir()
    files.copy(files.read(bundle).changed("policies/p.yaml", None), bundle, copy)
    assert (copy / "schemas").is_dir()
    assert list((copy / "policies").iterdir()) == []
    assert (bundle / "policies" / "p.yaml").exists()


def test_one_at_a_time_and_not_for_ever(bundle) -> None:
    """Who holds the lock is waited for; after ten seconds it is a conflict."""

    class Clock(SystemClock):
        seconds = 0.0

        def monotonic(self):
            return self.seconds

        def sleep(self, seconds):
            self.seconds += seconds

    clock = Clock()
    with files.locked(bundle, clock), pytest.raises(Conflict, match="under way"):
        control(bundle, clock=clock).change(EVENT, "a", "o", adding(1))
    assert 10 <= clock.seconds < 10.1
    control(bundle, clock=clock).change(EVENT, "a", "o", adding(1))


def test_two_processes_on_one_folder_lose_nothing(bundle) -> None:
    """Each adds ten routes; all twenty are there, in a file that still has its comment."""
    program = (
        "import sys; from pathlib import Path; from tests.control.test_control import *\n"
        "for n in range(10):\n"
        "    control(Path(sys.argv[1])).change(EVENT, 'a', 'o', adding(f'{sys.argv[2]}-{n}'))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(bundle), name], cwd=ROOT)
        for name in ("a", "b")
    ]
    assert [each.wait(timeout=60) for each in running] == [0, 0]
    text = (bundle / "routes.yaml").read_text()
    assert text.count("target: http://a:1") == 20
    assert text.startswith("version: 1\n# ours\n")


def test_a_bundle_that_a_process_does_not_serve_is_not_changed_by_it(bundle) -> None:
    """A job, say."""
    notes = Notes()
    found = Control(Settings(bundle=bundle), SystemClock(), notes)
    with pytest.raises(Conflict, match="serves no bundle"):
        found.change(EVENT, "a", "o", adding(1))
    assert notes.rows == [("a", "o", "conflict")]


def test_what_nobody_foresaw_tells_nothing(bundle) -> None:
    """The attempt is in the log, the caller gets the request's id alone."""
    found = control(bundle)

    def broken(_files):
        raise RuntimeError("canary")

    with pytest.raises(GatewayError) as error:
        found.change(EVENT, "a", "o", broken)
    assert "canary" not in error.value.message
    assert found.audit.rows == [("a", "o", "internal_error")]


def test_a_long_report_is_cut(bundle) -> None:
    """A hundred problems are enough to begin with, and the file is what it was."""
    wrong = [Problem(f"{bundle}/routes.yaml", n, "", "x", "y") for n in range(200)]
    found = control(bundle, Host([wrong]))
    with pytest.raises(InvalidBundle) as error:
        found.change(EVENT, "a", "o", adding(1))
    lines = error.value.message.split("\n")
    assert lines[-2:] == ["and 100 more", "200 problems; the old bundle stays in force"]
    assert str(bundle) not in error.value.message
    assert (bundle / "routes.yaml").read_text() == MANIFEST


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(bundle) -> None:  # pragma: no cover - CI is root
    """Not a failure of the gateway's."""
    Path(bundle).chmod(0o500)
    with pytest.raises(Conflict, match="cannot be written"):
        control(bundle).change(EVENT, "a", "o", adding(1))
    Path(bundle).chmod(0o700)


def test_a_folder_that_is_away_is_told(tmp_path) -> None:
    """Not a failure of the gateway's."""
    with pytest.raises(Conflict, match="cannot be written"):
        control(tmp_path / "nowhere").change(EVENT, "a", "o", adding(1))
