"""The command line as a person or a script runs it, against a real gateway."""

import json
import os
import pty
import subprocess
import sys

import httpx
import pytest

from tests.cli.conftest import KEY
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

EXPORT = "export AI_GATEWAY_API_KEY=abc123"
SHORT_FORM = """
routes:
  - path: {path}
    target: http://ai-service:8080
    methods: [POST]
security:
  - endpoint: {path}
    auth: jwt
    rateLimit: 100
"""


def told(done):
    """What a command that went well wrote as JSON."""
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_each_command_line_of_the_issue_runs_as_it_is_written(there) -> None:
    """In its order, word for word, in a shell."""
    (there.home / "path" / "to").mkdir(parents=True)
    (there.home / "path/to/config.yaml").write_text(SHORT_FORM.format(path="/from-file"))
    for line in (
        "ai-gateway-cli init --cluster aimlops --key $AI_GATEWAY_API_KEY",
        "ai-gateway-cli init --config path/to/config.yaml",
        "ai-gateway-cli apply",
        "ai-gateway-cli add-route --path /predict --target http://ai-service:8080 --method POST",
        "ai-gateway-cli secure --endpoint /predict --auth jwt --rate-limit 100/min",
        "ai-gateway-cli metrics --format json",
        f"{EXPORT}\nai-gateway-cli add-route --path /chat --target http://llm-service:5000",
        f"{EXPORT}; ai-gateway-cli add-route --path /ml-predict --target http://model-service:8000",
        "ai-gateway-cli secure --endpoint /chat --auth api-key --rate-limit 50/min",
        "ai-gateway-cli metrics --endpoint /chat",
        "ai-gateway-cli config --log-level debug",
    ):
        done = there(line)
        assert done.returncode == 0, (line, done.stderr)
    found = {route["path"]: route for route in told(there("ai-gateway-cli routes"))}
    assert found["/predict"]["target"] == "http://ai-service:8080"
    assert (found["/predict"]["auth"], found["/predict"]["rateLimit"]) == (["jwt"], "100/min")
    assert (found["/chat"]["auth"], found["/chat"]["rateLimit"]) == (["api-key"], "50/min")
    assert (found["/from-file"]["auth"], found["/from-file"]["rateLimit"]) == (["jwt"], 100)
    assert "auth" not in found["/ml-predict"]
    assert told(there("ai-gateway-cli config"))["level"] == "debug"


def test_what_init_keeps_is_the_users_alone(there) -> None:
    """The key stands in a file with mode 0600, is no longer needed in the environment."""
    del there.variables["AI_GATEWAY_API_KEY"]
    done = there("ai-gateway-cli status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: API key required")
    done = there(f"ai-gateway-cli init --key {KEY}")
    assert (done.returncode, done.stdout) == (0, "")
    assert "readable by you alone" in done.stderr
    assert KEY not in done.stderr
    kept = there.home / ".config/ai-gateway/config.yaml"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert KEY in kept.read_text()
    assert told(there("ai-gateway-cli status"))["key"] == "accepted"


def test_a_kept_key_goes_to_its_own_cluster_alone(there, url) -> None:
    """Neither another cluster nor a URL is sent it."""
    del there.variables["AI_GATEWAY_API_KEY"]
    there(f"ai-gateway-cli init --key {KEY}")
    there(f"ai-gateway-cli init --cluster other --url {url}")
    for line in ("routes", f"routes --url {url}", "routes --cluster other"):
        assert "API key required" in there(f"ai-gateway-cli {line}").stderr
    assert told(there("ai-gateway-cli routes --cluster aimlops"))


def test_init_names_gateways(shell, url) -> None:
    """A URL without a name is the default one; a cluster without a URL keeps the known one."""
    shell.variables["AI_GATEWAY_API_KEY"] = KEY
    assert f"cluster default at {url}" in shell(f"ai-gateway-cli init --url {url}").stderr
    assert told(shell("ai-gateway-cli status"))["url"] == url
    assert "at http://127.0.0.1:8080" in shell("ai-gateway-cli init --cluster new").stderr
    assert f"at {url}" in shell("ai-gateway-cli init --cluster default").stderr


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("", 2, "the following arguments are required: COMMAND"),
        ("init", 2, "say --cluster, --url, --key or --config"),
        ("secure --endpoint /chat", 2, "say --auth, --rate-limit or both"),
        ("config --log-level loud", 2, "invalid choice: 'loud'"),
        ("add-route --path /x", 2, "required: --target"),
        ("init --config missing.yaml", 1, "missing.yaml is no file"),
        ("init --url ftp://x", 1, "a gateway's URL is http://HOST:PORT"),
        ("init --key ''", 1, "API key required"),
        ("routes --cluster nowhere", 1, "There is no cluster 'nowhere'; there is aimlops."),
        ("add-route --path x --target http://ai-service", 1, "Invalid route path 'x'"),
        ("add-route --path /x --target http://evil", 1, "does not stand in allowed_hosts"),
        ("secure --endpoint /none --auth jwt", 1, "No route has the path /none."),
        ("secure --endpoint /../metrics --auth none", 1, "No route has the path /../metrics."),
        ("metrics --type speed", 1, "There is no type 'speed'"),
        ("delete-route none", 1, "There is no route 'none'."),
        ("keys revoke 00", 1, "[404, not_found, "),
        ("apply", 1, "no file: ai-gateway-cli init --config FILE, or name one"),
        ("apply missing.yaml", 1, "missing.yaml"),
        ("status --url http://127.0.0.1:9", 1, "gave no answer (ConnectError)"),
    ],
)
def test_what_is_wrong_is_said_on_stderr(there, line, code, message) -> None:
    """With `Error: ` before it and a code that scripts can tell apart; stdout stays empty."""
    done = there(f"ai-gateway-cli {line}")
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ") or code == 1
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_key_is_told_and_never_shown(there) -> None:
    """As an error, with the gateway's code; a key without a scope is told by status."""
    right = told(there("ai-gateway-cli keys create --name plain"))["key"]
    there.variables["AI_GATEWAY_API_KEY"] = "not-the-key"
    done = there("ai-gateway-cli status")
    assert done.returncode == 1
    assert "[401, invalid_api_key, " in done.stderr
    assert "not-the-key" not in done.stderr
    there.variables["AI_GATEWAY_API_KEY"] = right
    assert told(there("ai-gateway-cli status"))["key"] == "accepted, without the scope routes"


def test_files_that_nobody_can_use_are_told(there) -> None:
    """What init kept, and what names the clusters."""
    folder = there.home / ".config/ai-gateway"
    (folder / "config.yaml").write_text("[1, 2]")
    assert "remove it, and init again" in there("ai-gateway-cli routes").stderr
    (folder / "config.yaml").unlink()
    (folder / "config.yaml").mkdir()
    assert "Is a directory" in there("ai-gateway-cli routes").stderr


def test_a_terminal_gets_tables_and_a_pipe_json(there) -> None:
    """Unless --format says otherwise."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stdout:
        done = there("ai-gateway-cli models", capture_output=False, stdout=stdout)
    lines = os.read(master, 100_000).decode().splitlines()
    os.close(master)
    assert done.returncode == 0
    assert lines[0].split()[:2] == ["NAME", "MODEL_ID"]
    assert [line.split()[0] for line in lines[1:]] == ["model-a", "model-b", "judge"]
    assert set(told(there("ai-gateway-cli models"))) == {"model-a", "model-b", "judge"}
    table = there("ai-gateway-cli models --format table").stdout
    assert table.splitlines() == lines


def test_metrics_can_be_narrowed(there) -> None:
    """By type and by endpoint."""
    there("ai-gateway-cli routes")
    rows = told(there("ai-gateway-cli metrics --type latency --endpoint /api/v1/routes"))
    assert {row["type"] for row in rows} == {"latency"}
    assert rows[0]["p95"] > 0


def test_keys_live_and_end(there, url) -> None:
    """Made with what they may, followed by another, ended; the text is told once each."""
    made = told(
        there("ai-gateway-cli keys create --name n --owner o --route inference --expires-in 1d")
    )
    headers = {"X-API-Key": made["key"]}
    body = {"inputs": "What is GRPO?"}
    assert httpx.post(f"{url}/inference", json=body, headers=headers).status_code == 200
    assert made["routes"] == ["inference"]
    next_one = told(there(f"ai-gateway-cli keys rotate {made['id']} --overlap 0"))
    assert httpx.post(f"{url}/inference", json=body, headers=headers).status_code == 401
    assert next_one["key"] != made["key"]
    listed = there("ai-gateway-cli keys list --owner o")
    assert next_one["key"] not in listed.stdout
    assert {key["id"] for key in told(listed)} == {made["id"], next_one["id"]}
    assert told(there(f"ai-gateway-cli keys revoke {next_one['id']}"))["status"] == "revoked"
    assert there("ai-gateway-cli keys list --owner nobody --format table").stdout == "none\n"


def test_a_route_goes_again(there) -> None:
    """By its name."""
    line = "ai-gateway-cli add-route --path /short --name brief --target http://ai-service"
    assert told(there(f"{line} --method GET --method POST"))["methods"] == ["GET", "POST"]
    assert "There is a route brief already." in there(line).stderr
    (limited,) = told(there("ai-gateway-cli secure --endpoint /short --rate-limit 5/s"))
    assert limited == {"endpoint": "/short", "name": "brief", "rateLimit": "5/s"}
    assert told(there("ai-gateway-cli delete-route brief")) == {"name": "brief", "deleted": True}
    assert "brief" not in there("ai-gateway-cli routes").stdout


def test_apply_does_what_is_missing_and_no_more(there) -> None:
    """A first time it adds, a second time it changes nothing, then only what differs."""
    file = there.home / "c.yaml"

    def apply(text, command="apply"):
        file.write_text(text)
        (row,) = told(there(f"ai-gateway-cli {command} c.yaml"))
        return row["action"], row["keys"]

    text = SHORT_FORM.format(path="/applied")
    assert apply(text, "check") == ("add", [])
    assert apply(text) == ("add", [])
    assert apply(text) == ("keep", [])
    assert apply(text.replace("100", "100/min")) == ("keep", [])
    assert apply(text.replace("100", "5/s").replace("jwt", "api-key"), "check")[0] == "secure"
    assert apply(text.replace("100", "5/s").replace("jwt", "api-key"))[0] == "secure"
    only_routes = text.partition("security:")[0]
    assert apply(only_routes) == ("keep", [])
    assert apply(only_routes.replace("[POST]", "[get, POST]")) == ("replace", ["methods"])
    found = {route["path"]: route for route in told(there("ai-gateway-cli routes"))}["/applied"]
    assert found["methods"] == ["GET", "POST"]
    assert (found["auth"], found["rateLimit"]) == (["api-key"], "5/s")


def test_apply_refuses_before_it_begins(there) -> None:
    """Every problem at once, on a line each, and nothing is changed."""
    (there.home / "c.yaml").write_text(
        SHORT_FORM.format(path="/never") + "  - {endpoint: /nowhere, auth: none}\n"
        "  - {endpoint: /v1/chat/completions, rateLimit: 7}\n"
    )
    done = there("ai-gateway-cli apply c.yaml")
    assert (done.returncode, done.stderr) == (1, "Error: /nowhere: no route has this path\n")
    assert "/never" not in there("ai-gateway-cli routes").stdout


def test_help_has_examples(shell) -> None:
    """Those of the issue, and the codes."""
    done = shell("ai-gateway-cli --help")
    assert done.returncode == 0
    assert "ai-gateway-cli init --cluster aimlops --key $AI_GATEWAY_API_KEY" in done.stdout
    assert "Exit codes: 0 done, 1 refused or" in done.stdout


def test_the_command_is_installed_with_the_project() -> None:
    """And runs as a module where it is not."""
    text = (ROOT / "pyproject.toml").read_text()
    assert '[project.scripts]\nai-gateway-cli = "ai_gateway.cli:main"\n' in text
    done = subprocess.run(
        [sys.executable, "-m", "ai_gateway.cli", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0.1.0\n"


def test_apply_does_several_changes_in_one_go(there) -> None:
    """Each on the version that the one before left, and endpoints that the bundle serves too."""
    (there.home / "c.yaml").write_text(
        "routes:\n"
        "  - {path: /one, target: 'http://ai-service'}\n"
        "  - {path: /two, target: 'http://ai-service', auth: api-key}\n"
        "security:\n"
        "  - {endpoint: /v1/completions, rateLimit: 7/s}\n"
    )
    rows = told(there("ai-gateway-cli apply c.yaml"))
    assert [row["action"] for row in rows] == ["add", "add", "secure"]
    rows = told(there("ai-gateway-cli check c.yaml"))
    assert [row["action"] for row in rows] == ["keep", "keep", "keep"]
