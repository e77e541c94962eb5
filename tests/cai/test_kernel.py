"""Where a script runs, and the process that it runs in."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ai_gateway.cai import Ended, in_kernel, run_outside
from ai_gateway.settings import Settings
from tests.cai.conftest import ROOT, wait

#: Says that it runs, then waits for SIGTERM, and takes a moment to end.
PATIENT = """
import pathlib, signal, sys, time
def stop(*_):
    time.sleep(0.2)
    pathlib.Path(sys.argv[1]).write_text("graceful")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).write_text(f"{__name__} {__file__}")
time.sleep(60)
"""
#: A kernel as far as it matters here: it runs one script outside.
HOLDER = """
from ai_gateway.cai import run_outside
run_outside({script!r}, [{log!r}])
print("over")
"""


def test_plain_python_is_no_kernel() -> None:
    """Neither Python alone nor IPython's mere import is a kernel."""
    assert not in_kernel()
    code = "import IPython, ai_gateway.cai as cai; raise SystemExit(cai.in_kernel())"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
    ],
)
def test_a_failure_is_told(tmp_path: Path, line: str, said: str) -> None:
    """A process that fails raises, with the command and how it ended."""
    script = tmp_path / "script.py"
    script.write_text(line)
    with pytest.raises(Ended, match=rf"script\.py a b {said}; the reason stands above"):
        run_outside(str(script), ["a", "b"])


def test_a_script_runs_as_python_would_run_it(tmp_path: Path) -> None:
    """It is __main__, knows its file, and has its arguments alone."""
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(
        "import sys; open(sys.argv[1], 'w').write(f'{__name__} {__file__} {sys.argv}')"
    )
    run_outside(str(script), [str(log)])
    assert log.read_text() == f"__main__ {script} {[str(script), str(log)]}"


@contextmanager
def holding(
    tmp_path: Path, text: str = PATIENT
) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A process that runs a patient script outside, and the script's file of words."""
    script, log = tmp_path / "patient.py", tmp_path / "log"
    script.write_text(text)
    code = HOLDER.format(script=str(script), log=str(log))
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        wait(log.exists)
        yield holder, log
        holder.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_process_ends_with_its_kernel(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever ends or interrupts the kernel, the process is told once and ends gracefully."""
    with holding(tmp_path) as (holder, log):
        os.kill(holder.pid, number)
        wait(lambda: log.read_text() == "graceful")
        assert (b"over" in holder.communicate()[0]) == (number == signal.SIGTERM)


def test_a_stop_is_no_failure(tmp_path: Path) -> None:
    """A program that knows nothing of SIGTERM ends by it, and the script that was told returns."""
    plain = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)"
    with holding(tmp_path, plain) as (holder, _):
        holder.terminate()
        assert b"over" in holder.communicate()[0]


@pytest.mark.parametrize(("domain", "key"), [({}, ""), ({"CDSW_DOMAIN": "ml.example.com"}, None)])
def test_a_key_left_blank_is_none_on_cai(domain: dict[str, str], key: str | None) -> None:
    """An AMP sets a variable that was left blank to nothing; elsewhere that is a mistake."""
    assert Settings.read(environment={"AI_GATEWAY_API_KEY": "", **domain}).admin_key == key
