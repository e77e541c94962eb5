"""A whole gateway over TLS, as the official client meets it."""

import json
import os
import re
from pathlib import Path

import httpx
import openai
import pytest
import trustme

from ai_gateway import hosting
from ai_gateway.manifest.load import load
from ai_gateway.settings import Settings
from tests.conftest import KEY
from tests.hosting.conftest import running
from tests.hosting.test_tls import issue, known, trusting
from tests.processes import served


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs certificates."""
    return trustme.CA()


def test_the_official_client_over_mutual_tls(start, authority, tmp_path) -> None:
    """Whole and streamed answers come; without its certificate the client gets none."""
    gateway = start()
    files = issue(authority, tmp_path / "tls")
    authority.cert_pem.write_to_path(tmp_path / "tls" / "clients.pem")
    tls = hosting.ServerOptions(
        tls=type(files)(files.certificate, files.key, str(tmp_path / "tls" / "clients.pem"))
    ).tls
    with running(gateway.client.application, tls=tls) as server:

        def client(context) -> openai.OpenAI:
            return openai.OpenAI(
                base_url=f"https://localhost:{server.port}/v1",
                api_key=KEY,
                max_retries=0,
                http_client=httpx.Client(verify=context, trust_env=False),
            )

        asked = {"model": "auto", "messages": [{"role": "user", "content": "What is GRPO?"}]}
        with client(known(authority, authority)) as caller:
            assert caller.chat.completions.create(**asked).choices[0].message.content
            chunks = list(caller.chat.completions.create(**asked, stream=True))
            assert len(chunks) > 2
        with client(trusting(authority)) as caller, pytest.raises(openai.APIConnectionError):
            caller.chat.completions.create(**asked)


def variables(**tls: str) -> dict[str, str]:
    """Of a bundle that needs nothing else."""
    return {"AI_GATEWAY_API_KEY": KEY, **tls}


def small(folder: Path) -> Path:
    """A bundle of one route."""
    (folder / "routes.yaml").write_text(
        "routes: [{path: /ping, methods: [GET], function: 'functions.ping:handle', auth: none}]\n"
    )
    return folder


def test_files_that_cannot_be_used_stop_the_start(authority, tmp_path) -> None:
    """One report names each; a job, which listens nowhere, does not look."""
    around = variables(GATEWAY_TLS_CERT=str(tmp_path / "none.pem"), GATEWAY_TLS_CLIENT_CA="/none")
    settings = Settings.read(small(tmp_path), around)
    _, problems = load(settings)
    assert [problem.key for problem in problems] == [
        "GATEWAY_TLS_CERT",
        "GATEWAY_TLS_KEY",
        "GATEWAY_TLS_CLIENT_CA",
    ]
    assert load(settings, serving=False)[1] == []


def test_on_cloudera_ai_its_proxy_ends_tls(authority, tmp_path) -> None:
    """A certificate there could never be reached, so it is a problem and not a surprise."""
    files = issue(authority, tmp_path)
    around = variables(
        GATEWAY_TLS_CERT=files.certificate, GATEWAY_TLS_KEY=files.key, CDSW_ENGINE_ID="1"
    )
    _, problems = load(Settings.read(small(tmp_path), around))
    assert [problem.found for problem in problems] == ["a certificate on Cloudera AI"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_serve_says_https_and_answers(authority, tmp_path, workers) -> None:
    """One process and several, by two variables."""
    files = issue(authority, tmp_path)
    environment = {
        "PATH": os.defpath,
        "GATEWAY_DATA": str(tmp_path / "data"),
        **variables(GATEWAY_TLS_CERT=files.certificate, GATEWAY_TLS_KEY=files.key),
    }
    several = ("--workers", str(workers), "--bundle", str(small(tmp_path)))
    with served(environment, *several) as (told, _):
        found = re.fullmatch(r"https://127\.0\.0\.1:(\d+)", told)
        assert found
        url = f"https://localhost:{found[1]}/ping"
        answer = httpx.get(url, verify=trusting(authority), trust_env=False)
        assert json.loads(answer.content) == {"ok": True}
