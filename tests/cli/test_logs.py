"""`logs` and `explain`, as a person or a script runs them, against a real gateway."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from ai_gateway.cli.explaining import page
from ai_gateway.cli.logs import Following, line, moment
from ai_gateway.client import Forbidden, RateLimited, Requests, Unreachable
from tests.cli.conftest import KEY

NOW = 1_772_366_400.0
#: What would clear a terminal and set its title.
STEERS = "\x1b[2J\x1b]0;owned\x07\x9b31m"
ROW = {
    "request_id": "01a220b852de762ba46dd6122265b1f5",
    "received_at": "2026-11-28T05:54:40.478405+00:00",
    "route": "inference",
    "status": 200,
    "latency_ms": 71.5,
    "served": "model-a",
    "selection": "policy",
    "input_tokens": 12,
    "output_tokens": 90,
    "cost": 0.00123,
}


def ask(url, inputs="What is a monad?", **more) -> str:
    """The id of a question."""
    body = {"inputs": inputs, **more}
    reply = httpx.post(f"{url}/inference", json=body, headers={"X-API-Key": KEY})
    return reply.headers["x-request-id"]


def in_terminal(shell, command) -> str:
    """What a command writes to a terminal."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stdout:
        done = shell(command, capture_output=False, stdout=stdout)
    found = os.read(master, 100_000).decode()
    os.close(master)
    assert done.returncode == 0
    return found


def started(shell, command) -> subprocess.Popen:
    """A command that goes on."""
    return subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}"],
        cwd=shell.home,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_pipe_gets_json_lines_and_a_terminal_a_line_each(there, url) -> None:
    """Oldest first, so that the newest stands at the end, as in a log."""
    asked = [ask(url, model_name=model) for model in ("model-a", "model-b")]
    done = there("ai-gateway-cli logs --route inference --since 1h --limit 2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(each) for each in done.stdout.splitlines()]
    assert [row["request_id"] for row in rows] == asked
    assert "monad" not in done.stdout
    shown = in_terminal(there, "ai-gateway-cli logs --route inference --limit 2").splitlines()
    assert [each.split()[-1] for each in shown] == asked
    assert [each.split()[4] for each in shown] == ["model-a", "model-b"]
    narrowed = there("ai-gateway-cli logs --model model-b --status 200 --outcome served --limit 1")
    assert json.loads(narrowed.stdout)["request_id"] == asked[1]


@contextmanager
def following(shell, url) -> Iterator[subprocess.Popen]:
    """`logs -f`, once it has told of a request that was there before."""
    asked = ask(url)
    process = started(shell, "ai-gateway-cli logs -f --route inference --limit 1")
    try:
        assert json.loads(process.stdout.readline())["request_id"] == asked
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_following_goes_on_until_it_is_stopped(there, url) -> None:
    """What comes is written as it becomes readable; Ctrl-C ends it without a word, with 130."""
    with following(there, url) as process:
        asked = [ask(url) for _ in range(3)]
        assert [json.loads(process.stdout.readline())["request_id"] for _ in asked] == asked
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (130, "", "")


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it(there, url) -> None:
    """As `head` does: with the next line, and without an error."""
    with following(there, url) as process:
        process.stdout.close()
        ask(url)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
        process.stdout = None


@pytest.mark.slow
def test_a_request_is_explained_to_a_person(there, url) -> None:
    """Everything by its section, and nothing that a caller wrote steers the terminal."""
    asked = ask(url, f"What is a monad? {STEERS}")
    shown = in_terminal(there, f"ai-gateway-cli explain {asked}")
    assert not set(shown) & {"\x1b", "\x07", "\x9b"}
    for said in (
        r"REQUEST\n  request_id +[0-9a-f]{32}",
        r"INPUT\n  What is a monad\? \?\[2J\?\]0;owned\?\?31m",
        r"GUARDRAILS\n  policies: forbidden-topics, ",
        r"CHOICE\n  selection +policy\n",
        r"  MODEL +PROBABILITY +SCORE +INTERVAL +CHOSEN\n",
        r"  derived again: same \(from its scores and seed, by the route's rule\)\n",
        r"ATTEMPTS\n  MODEL +STATUS",
        r"OUTPUT\n  ",
        r"COST AND TIME\n  input_tokens +\d+",
        r"JUDGE\n  none\n",
        r"FEEDBACK\n  none\n",
        r"DECIDED BY\n  manifest_hash +sha256:",
    ):
        assert re.search(said, shown.replace("\r\n", "\n")), said


@pytest.mark.slow
def test_a_request_is_explained_to_a_program(there, url) -> None:
    """With all that the gateway tells; an id that is none is an error."""
    asked = ask(url, "My card is 4111 1111 1111 1111.")
    done = there(f"ai-gateway-cli explain {asked}")
    found = json.loads(done.stdout)
    assert found["request"]["request_id"] == asked
    assert found["request"]["verdicts"]
    shown = there(f"ai-gateway-cli explain {asked} --format table").stdout
    assert re.search(r"STAGE +POLICY +CHECK +RULE +ACTION", shown)
    for none in ("0" * 32, "../keys"):
        done = there(f"ai-gateway-cli explain {none}")
        assert (done.returncode, done.stdout) == (1, "")
        assert "[404, not_found, " in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("--since yesterday", 1, "yesterday: 10m, 2h, 1d, or a time such as"),
        ("--since 2026-03-01T12:00:00", 1, "a time needs its zone, such as 2026-03-01T12:00:00Z"),
        ("--since 40d", 1, "At most 31 days are looked through at a time"),
        ("--limit 1001", 1, "limit: Input should be less than or equal to 1000"),
        ("--status ok", 2, "invalid int value: 'ok'"),
        ("--outcome good", 2, "invalid choice: 'good'"),
    ],
)
def test_what_is_wrong_is_said(there, options, code, message) -> None:
    """On stderr, with the code of all commands."""
    done = there(f"ai-gateway-cli logs {options}")
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


def test_a_line_tells_a_request() -> None:
    """When, status, time, where, who, how, tokens, cost, id; and the error of one that failed."""
    assert line(ROW).split() == [
        "2026-11-28T05:54:40Z",
        *("200", "72ms", "inference", "model-a", "policy", "12>90", "0.00123"),
        ROW["request_id"],
    ]
    early = {**ROW, "status": 401, "error": "invalid_api_key", "latency_ms": None}
    early = {name: early[name] for name in early if name not in {"served", "selection", "cost"}}
    early.pop("input_tokens")
    assert line(early).split()[1:] == [
        *("401", "0ms", "inference", "-", "invalid_api_key", "-", "-"),
        ROW["request_id"],
    ]
    failed = {**ROW, "chosen": f"model{STEERS}", "served": None, "error": "timeout"}
    assert line(failed).endswith(f"{ROW['request_id']}  timeout")
    assert line(failed).isprintable()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10m", NOW - 600),
        ("1d", NOW - 86_400),
        ("0s", None),
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T13:00:00+01:00", NOW),
        ("600", None),
        ("", None),
        ("-5m", None),
    ],
)
def test_times_are_read(text, found) -> None:
    """As so long ago, or with a zone; what could mean two things is refused."""
    if found is None:
        with pytest.raises(ValueError, match=r"duration|time such as"):
            moment(text, NOW)
    else:
        assert moment(text, NOW) == found


class Script:
    """A gateway that answers what a test wrote, then is left."""

    def __init__(self, *outcomes) -> None:
        self.outcomes = list(outcomes)
        self.cursors: list[str] = []
        self.waits: list[float] = []

    def requests(self, *, cursor, **_):
        self.cursors.append(cursor)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def sleep(self, seconds) -> None:
        self.waits.append(seconds)
        if not self.outcomes:
            raise KeyboardInterrupt


def test_following_waits_longer_while_nothing_comes(capsys) -> None:
    """And not at all while there is more, or as long as the gateway is away; nothing is lost."""
    rows = (ROW,)
    script = Script(
        Requests((), "b", more=False),
        Requests((), "c", more=False),
        Requests(rows, "d", more=True),
        Unreachable("Gone."),
        RateLimited("Wait."),
        Requests(rows, "e", more=False),
        *(Requests((), "e", more=False) for _ in range(6)),
    )
    with pytest.raises(KeyboardInterrupt):
        Following(script, {"route": "r"}, "json", script.sleep).run("a")
    assert script.cursors[:6] == ["a", "b", "c", "d", "d", "d"]
    assert script.waits == [1, 2, 3, 0, 1, 2, 1, 2, 3, 4, 5, 5, 5]
    told = capsys.readouterr()
    assert told.err == "Gone. Trying again.\n"
    assert [json.loads(each) for each in told.out.splitlines()] == [ROW, ROW]


def test_following_ends_where_no_waiting_helps() -> None:
    """A key that lost its scope is an error."""
    script = Script(Forbidden("No."))
    with pytest.raises(Forbidden):
        Following(script, {}, None, script.sleep).run("a")


def test_a_page_says_what_is_missing() -> None:
    """A refusal before any model, a text that was not recorded, one that is long."""
    row = {**ROW, "selection": None, "served": None, "privacy": "none", "input": None}
    shown = page({"request": row, "scores": [], "feedback": []})
    assert "INPUT\n  (not recorded: the route's privacy is none)\n\nGUARDRAILS" in shown
    assert "CHOICE\n  no model was chosen\n" in shown
    shown = page({"request": {**row, "selection": "guardrail"}, "scores": [], "feedback": []})
    assert "CHOICE\n  selection               guardrail\n  no model was chosen\n" in shown
    row = {**ROW, "privacy": "full", "input": "a" * 2100, "chosen": "m"}
    row["candidates"] = [{"model": "m"}]
    derived = {"said": "derived again: m with 1 comes out", "by": "draw"}
    shown = page({"request": row, "scores": [], "feedback": [], "derived": derived})
    assert "... 100 characters more: --format json has them" in shown
    assert "comes out (from its recorded probabilities: the bundle is another one" in shown
    assert "OUTPUT\n  none\n" in shown
