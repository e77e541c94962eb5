"""The pages of the command line and of the SDK say what there is, and their examples run."""

import inspect
import re
import shlex
import sys

import pytest

from ai_gateway import AI_Gateway, AsyncAI_Gateway, client
from ai_gateway.cli.options import parse
from tests.conftest import ROOT

CLI = (ROOT / "docs" / "cli.md").read_text()
SDK = (ROOT / "docs" / "sdk.md").read_text()
KEYS = ["list", "create", "revoke", "rotate"]


def shown(capsys, *arguments) -> str:
    """The help of a command."""
    with pytest.raises(SystemExit):
        parse([*arguments, "--help"])
    return str(capsys.readouterr().out)


def test_every_command_and_option_stands_on_its_page(capsys) -> None:
    """Whoever reads it knows them all."""
    commands = re.findall(r"^    ([a-z-]+)(?: |$)", shown(capsys), re.MULTILINE)
    assert len(commands) == 14
    options = {"--version"}
    for command in commands:
        assert f"`{command}" in CLI
        for action in KEYS if command == "keys" else [""]:
            given = [command, action] if action else [command]
            assert f"`{' '.join(given)}" in CLI
            options |= set(re.findall(r"--[a-z-]+", shown(capsys, *given)))
    assert [option for option in sorted(options) if option not in CLI] == []


def test_every_example_of_the_help_and_the_page_is_understood(capsys) -> None:
    """No option in them is made up."""
    lines = re.findall(r"^ *(ai-gateway-cli .*)$", shown(capsys) + CLI, re.MULTILINE)
    assert len(lines) >= 13
    for line in lines:
        parse(shlex.split(line)[1:])


@pytest.mark.parametrize("kind", [AI_Gateway, AsyncAI_Gateway])
def test_every_call_stands_on_its_page(kind) -> None:
    """In both clients, which have the same ones."""
    calls = {name for name in vars(kind) if not name.startswith("_")} - {"close"}
    assert [name for name in sorted(calls) if f"`{name}(" not in SDK and name not in SDK] == []
    keys = client.synchronous.Keys if kind is AI_Gateway else client.asynchronous.AsyncKeys
    assert [name for name in vars(keys) if name[0] != "_" and f"`keys.{name}(" not in SDK] == []
    for name in calls - {"keys"}:
        one, other = getattr(AI_Gateway, name), getattr(kind, name)
        if callable(one):
            assert str(inspect.signature(one)) == str(inspect.signature(other))
    assert [name for name in client.__all__ if name not in SDK] == []


@pytest.mark.slow
def test_the_examples_of_the_sdk_run(there, url) -> None:
    """As they stand there, but for a path of their own and where the gateway is."""
    there.variables["PYTHONPATH"] = str(ROOT)
    plain, awaited = re.findall(r"```python\n(.*?)```", SDK, re.DOTALL)
    awaited = awaited.replace("http://gateway:8080", url).replace('"..."', '"abc123"')
    for block in (plain.replace("/predict", "/from-the-page"), awaited):
        (there.home / "example.py").write_text(block)
        done = there(f"{shlex.quote(sys.executable)} example.py")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
