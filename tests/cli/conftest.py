"""A real gateway whose bundle may be written, and a shell in which the command is installed."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.access.oidc import document, rsa_signer
from tests.conftest import ROOT
from tests.processes import coverage, served

#: As the command lines of the issue export it.
KEY = "abc123"


@pytest.fixture(scope="session")
def url(tmp_path_factory):
    """Where `runner.py serve --simulate` answers, with the hosts and the issuer of the tests."""
    folder = tmp_path_factory.mktemp("gateway")
    bundle = folder / "bundle"
    bundle.mkdir()
    for name in ("policies", "judge_prompts"):
        shutil.copytree(ROOT / name, bundle / name)
    (bundle / "keys.json").write_bytes(document(rsa_signer()))
    text = (ROOT / "routes.yaml").read_text()
    text += "\nallowed_hosts: [ai-service, llm-service, model-service]\n"
    text += f"jwt: [{{issuer: 'urn:a', name: a, audience: a, jwks_file: {bundle}/keys.json}}]\n"
    token = '  - {path: /tokens, function: "functions.inference:handle", auth: jwt}\n'
    (bundle / "routes.yaml").write_text(text.replace("\njobs:", f"\n{token}\njobs:"))
    environment = {
        "PATH": os.defpath,
        "AI_GATEWAY_API_KEY": KEY,
        "GATEWAY_DATA": str(folder / "data"),
    }
    with served(environment, "--simulate", "--bundle", str(bundle)) as (url, _):
        yield url


@dataclass
class Shell:
    """One user's folder, and what is exported there."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, line, **more) -> subprocess.CompletedProcess[str]:
        """A command line, to its end."""
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.home,
            env=self.environment,
            timeout=60,
            check=False,
            **{"capture_output": True, "text": True, **more},
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a command sees."""
        path = f"{self.home / 'bin'}:{os.defpath}"
        return {"PATH": path, "HOME": str(self.home), **coverage(), **self.variables}


@pytest.fixture
def shell(tmp_path):
    """As pip installs the command; nothing is kept yet and no key exported."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "ai-gateway-cli"
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from ai_gateway.cli import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    return Shell(tmp_path)


@pytest.fixture
def there(shell, url):
    """The same, where the cluster aimlops is known, chosen, and the key exported."""
    folder = shell.home / ".config" / "ai-gateway"
    folder.mkdir(parents=True)
    (folder / "clusters.yaml").write_text(f"aimlops:\n  url: {url}\n")
    (folder / "config.yaml").write_text("cluster: aimlops\n")
    shell.variables["AI_GATEWAY_API_KEY"] = KEY
    return shell
