"""`python -m ai_gateway.webhooks`: what is dead is shown, and sent again in order."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ai_gateway.compliance.erasure import Eraser, Erasure
from ai_gateway.control.audit import Audit
from ai_gateway.settings import Settings
from ai_gateway.webhooks.__main__ import main
from tests.conftest import ROOT
from tests.webhooks.conftest import OTHER, SECRET

PING = '{path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}'


@pytest.fixture
def dead(hooks, receiver, tmp_path):
    """Four dead letters: three of one route, in order, and one of no route."""
    made = hooks()
    made.adopt(callback={"url": "http://127.0.0.1:9/", "retries": {"attempts": 1}})
    for number in (1, 2, 3):
        made.clock.time += 0.01
        made.tell(number)
    made.clock.time += 0.01
    made.tell(4, route=None, kind="bundle.changed")
    made.run()
    made.records.flush()
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    text = f"routes: [{PING}]\nallowed_hosts: [127.0.0.0/8]\ncallback: {receiver.url}\n"
    (bundle / "routes.yaml").write_text(text)
    return made


@pytest.fixture
def run(tmp_path, clock, capsys):
    """Runs the command; its exit code and what it says."""
    variables = {
        "GATEWAY_DATA": str(tmp_path / "data"),
        "GATEWAY_WEBHOOK_SECRET": f"{SECRET} {OTHER}",
    }

    def call(*arguments: str, **more: str) -> tuple[int, str]:
        settings = Settings.read(tmp_path / "bundle", {**variables, **more})
        code = main(arguments, settings, clock)
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def test_what_is_dead_is_shown(dead, run) -> None:
    """A line each, or all of it as JSON; by callback or by event."""
    code, said = run("dead")
    lines = said.splitlines()
    assert code == 0
    assert len(lines) == 5
    assert lines[-1] == "4 dead"
    assert "request.completed  (bundle)  upstream_unreachable  1 attempts" in lines[0]
    letters = [json.loads(line) for line in run("dead", "--json")[1].splitlines()]
    assert [json.loads(letter["body"])["data"]["n"] for letter in letters] == [1, 2, 3, 4]
    assert run("dead", "--callback", "chat")[1] == "0 dead\n"
    assert run("dead", "--event", letters[1]["event_id"])[1].endswith("1 dead\n")


def test_what_is_dead_is_sent_again(dead, run, receiver) -> None:
    """In order, signed as of now by both secrets, with the ids that it always had."""
    code, said = run("resend")
    assert code == 0
    assert said.endswith("4 resent, 0 still dead\n")
    assert [each.event["data"]["n"] for each in receiver.received] == [1, 2, 3, 4]
    assert all(each.verified(OTHER) == each.verified(SECRET) for each in receiver.received)
    assert run("dead")[1] == "0 dead\n"
    states = sorted(row["state"] for row in dead.rows())
    assert states == ["dead"] * 4 + ["resent"] * 4


def test_one_that_fails_again_holds_up_its_own_route_only(dead, run, receiver) -> None:
    """The order of a route stays; another's letter is sent."""
    receiver.script.extend([(204, {}, b""), (500, {}, b"")])
    code, said = run("resend")
    assert code == 1
    assert [line.split("  ")[3] for line in said.splitlines()[:-1]] == [
        *("resent", "failed", "skipped", "resent")
    ]
    assert "It answered with the status 500." in said
    assert said.endswith("2 resent, 2 still dead\n")
    assert run("dead")[1].endswith("2 dead\n")


def test_one_that_died_again_is_dead(dead, run, hooks, receiver) -> None:
    """What counts is what became of it last."""
    run("resend")
    dead.clock.time += 10
    dead.adopt(callback={"url": "http://127.0.0.1:9/", "retries": {"attempts": 1}})
    dead.tell(5)
    dead.run()
    dead.records.flush()
    assert run("dead")[1].endswith("1 dead\n")


def test_a_callback_that_is_gone_cannot_be_told(dead, run, tmp_path) -> None:
    """The letters stay."""
    (tmp_path / "bundle" / "routes.yaml").write_text(f"routes: [{PING}]\n")
    code, said = run("resend")
    assert code == 1
    assert "The bundle has no callback (bundle)." in said


def test_a_bundle_that_does_not_check_sends_nothing(dead, run, receiver) -> None:
    """Without a secret above all."""
    code, said = run("resend", GATEWAY_WEBHOOK_SECRET="")
    assert code == 1
    assert "GATEWAY_WEBHOOK_SECRET: found not set, and a callback without a secret" in said
    assert not receiver.received


def test_the_records_may_be_elsewhere(dead, run, tmp_path) -> None:
    """`--data` names them, `--bundle` the bundle; a store that is away is said."""
    data = str(tmp_path / "data")
    assert run("dead", "--data", data, GATEWAY_DATA="/nowhere")[1].endswith("4 dead\n")
    code, said = run("resend", "--data", data, "--bundle", str(tmp_path / "bundle"))
    assert (code, said.splitlines()[-1]) == (0, "4 resent, 0 still dead")
    code, said = run("dead", "--data", "s3://none?endpoint_override=http://127.0.0.1:9")
    assert code == 1
    assert "the records cannot be read or written" in said


def test_the_command_is_there() -> None:
    """It helps, and knows a wrong command line."""
    command = [sys.executable, "-m", "ai_gateway.webhooks"]
    done = subprocess.run(
        [*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "resend" in done.stdout
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 2


def test_an_erasure_takes_dead_letters_too(dead, clock) -> None:
    """Of a tenant or a request: they hold its ids."""
    audit = Audit(dead.records, clock)
    eraser = Eraser(dead.records, None, audit, clock, dead.webhooks._random)
    assert len(dead.rows()) == 4
    clock.time += 1
    eraser.run(Erasure(request=["r2"]), None, 0.0)
    assert sorted(row["request_id"] for row in dead.rows()) == ["r1", "r3", "r4"]
    eraser.run(Erasure(tenant="acme"), None, 0.0)
    assert dead.rows() == []
