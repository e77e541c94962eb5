"""The page of transport, browsers and disks says what the code does."""

import re

import yaml

from ai_gateway.access.cors import Cors
from ai_gateway.certificates import EVERY
from ai_gateway.hosting import ServerOptions
from ai_gateway.hosting.safety import Safety
from ai_gateway.manifest.model import Manifest
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "security-settings.md").read_text()


def test_its_examples_are_yaml_that_checks() -> None:
    """Each YAML block is a part of a manifest."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        Manifest.model_validate(yaml.safe_load(block))


def test_every_key_of_cors_stands_on_it() -> None:
    """With what it is when it is left out."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    assert set(Cors.model_fields) <= set(rows)
    for name in ("headers", "expose"):
        default = Cors.model_fields[name].default
        assert rows[name] == ", ".join(f"`{header}`" for header in default)


def test_every_security_header_stands_on_it() -> None:
    """With its value."""
    for line in Safety(tls=True).missing({}).decode().splitlines():
        name, value = line.split(": ")
        assert f"| `{name}` | `{value}`" in PAGE


def test_its_times_are_those_of_the_code() -> None:
    """How often files are looked at, and how long a handshake may take."""
    assert f"every {EVERY:g} seconds" in PAGE
    assert f"A handshake has {ServerOptions().handshake_seconds:g} seconds" in PAGE
    assert f"a request has {ServerOptions().header_seconds:g}." in PAGE
