"""Each row of docs/upstreams.md, as it stands there, against its provider's wire."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.upstream.fake import FakeUpstream, chunk, head, reply
from tests.upstream.providers import PROVIDERS, SAID, Provider, sent

pytestmark = pytest.mark.wire

PAGE = Path(__file__).parents[2] / "docs" / "upstreams.md"
ROWS = dict(
    re.findall(r"^\| ([^|]+) \| `(\{url: [^`]+\})` \|", PAGE.read_text("utf-8"), re.MULTILINE)
)
ROUTES = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    guardrails: []
"""
BODY = {"model": "here", "messages": [{"role": "user", "content": "Wo?"}], "max_tokens": 50}
KEYS = [
    "OPENAI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "DATABRICKS_TOKEN",
    "OPENROUTER_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
]
every_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda found: found.row)


def test_every_row_has_a_wire() -> None:
    """The table and the tested providers are the same."""
    assert sorted(ROWS) == sorted(provider.row for provider in PROVIDERS)


@pytest.fixture
def google(tmp_path: Path, upstream: FakeUpstream) -> Path:
    """A service account whose token endpoint is the scripted upstream."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "client_email": "gateway@project.test",
        "token_uri": f"{upstream.origin}/token",
        "private_key": key.decode(),
        "private_key_id": "1",
        "project_id": "project",
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    return file


@pytest.fixture
def serve(
    start: Any, upstream: FakeUpstream, tmp_path: Path, google: Path, monkeypatch: Any
) -> Any:
    """A gateway whose model ``here`` is a provider's row, at the scripted upstream."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "GOOGLE_APPLICATION_CREDENTIALS": str(google),
        "NO_GCE_CHECK": "true",
    }.items():
        monkeypatch.setenv(name, value)

    def run(provider: Provider) -> Any:
        (tmp_path / "jwt").write_text(json.dumps({"access_token": "a.jwt"}))
        row = re.sub(r'(?<=url: ")https?://[^/"]+', upstream.origin, ROWS[provider.row])
        row = row.replace("/tmp/jwt", str(tmp_path / "jwt"))
        if "google: " in row:
            upstream.script(reply({"access_token": "ya29.token", "expires_in": 3600}))
        return start(ROUTES, models=f"  here: {row}\n", **dict.fromkeys(KEYS, "a-key"))

    return run


def ask(gateway: Any, **more: Any) -> Any:
    """A chat completion of the provider's model."""
    data = json.dumps({**BODY, **more})
    return gateway.client.post("/v1/chat/completions", data=data, headers=gateway.headers)


def check_request(got: Any, provider: Provider, *, stream: bool = False) -> None:
    """Path, query, key and bytes are the provider's own."""
    row = yaml.safe_load(ROWS[provider.row])
    assert (got.method, got.target) == ("POST", provider.target)
    keys = {"authorization", "api-key", "x-api-key"} & set(got.headers)
    if provider.auth is None:
        assert keys == set()
    else:
        name, value = provider.auth
        assert keys == {name}
        assert got.headers[name].startswith(value)
    wanted = json.loads(sent(row, BODY, provider, stream=stream))
    if row.get("dialect") == "anthropic":
        assert got.headers["anthropic-version"] == "2023-06-01"
        assert got.json() == wanted
    else:
        assert got.body == sent(row, BODY, provider, stream=stream)


@every_provider
def test_a_whole_answer(serve: Any, upstream: FakeUpstream, provider: Provider) -> None:
    """The request has the provider's path and key, the answer its text and usage."""
    gateway = serve(provider)
    upstream.script(reply(provider.whole))
    answer = ask(gateway)
    assert answer.status_code == 200
    content = answer.json["choices"][0]["message"]["content"]
    assert (content if isinstance(content, str) else content[0]["text"]) == SAID
    check_request(upstream.requests[-1], provider)
    (row,) = gateway.rows()
    assert (row["output"], row["input_tokens"], row["output_tokens"]) == (SAID, 9, 7)


@every_provider
@pytest.mark.parametrize("cut", ["events", "bytes"])
def test_a_stream(serve: Any, upstream: FakeUpstream, provider: Provider, cut: str) -> None:
    """The words, the end and the usage come through, however the reads cut them."""
    gateway = serve(provider)
    whole = b"".join(provider.stream)
    pieces = (
        provider.stream if cut == "events" else [whole[i : i + 7] for i in range(0, len(whole), 7)]
    )
    upstream.script(head() + b"".join(map(chunk, pieces)) + chunk(b""))
    lines = ask(gateway, stream=True).get_data(as_text=True).split("\n\n")
    assert (lines[-2], lines[-1]) == ("data: [DONE]", "")
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    choices = [choice for event in events for choice in event["choices"]]
    assert "".join(choice.get("delta", {}).get("content") or "" for choice in choices) == SAID
    assert "stop" in [choice.get("finish_reason") for choice in choices]
    assert not any(event.get("usage") for event in events)  # which nobody asked for
    check_request(upstream.requests[-1], provider, stream=True)
    (row,) = gateway.rows()
    assert (row["output"], row["input_tokens"], row["output_tokens"]) == (SAID, 9, 7)


@every_provider
@pytest.mark.parametrize("stream", [False, True])
def test_an_error(serve: Any, upstream: FakeUpstream, provider: Provider, *, stream: bool) -> None:
    """The provider's own error is the caller's, with its words, wait and number."""
    gateway = serve(provider)
    upstream.script(provider.error)
    answer = ask(gateway, stream=stream)
    status, code, words = provider.refused
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert words in answer.json["error"]["message"]
    assert {name: answer.headers.get(name) for name in provider.headers} == provider.headers


@every_provider
def test_a_refused_key(serve: Any, upstream: FakeUpstream, provider: Provider) -> None:
    """The provider's 401 is the gateway's own trouble: 502, without the key, even if echoed."""
    gateway = serve(provider)
    wrong = reply({"error": {"message": "Incorrect key a-key a.jwt ya29.token"}}, 401)
    fresh = [reply({"access_token": "ya29.next", "expires_in": 3600})]
    upstream.script(wrong, *(fresh if "Vertex" in provider.row else []), wrong)
    answer = ask(gateway)
    assert (answer.status_code, answer.json["error"]["code"]) == (502, "upstream_credentials")
    assert not re.search("a-key|a.jwt|ya29", answer.get_data(as_text=True))


def test_a_bedrock_key_is_a_signed_url(serve: Any, upstream: FakeUpstream) -> None:
    """The key for Bedrock is a presigned request of the right identity, region and action."""
    (provider,) = [found for found in PROVIDERS if found.row == "Amazon Bedrock"]
    ask(serve(provider))
    _, _, key = upstream.requests[-1].headers["authorization"].partition("bedrock-api-key-")
    url = urlsplit("https://" + base64.b64decode(key).decode())
    query = parse_qs(url.query)
    assert query["Action"] == ["CallWithBearerToken"]
    assert query["X-Amz-Credential"][0].startswith("AKIDTEST/")
    assert query["X-Amz-Credential"][0].endswith("/us-west-2/bedrock/aws4_request")
    assert "a-secret" not in url.query


def test_a_google_token_is_had_once(serve: Any, upstream: FakeUpstream) -> None:
    """One token serves many calls; it was asked for with the account's signed assertion."""
    (provider,) = [found for found in PROVIDERS if found.row == "Google Vertex AI"]
    gateway = serve(provider)
    assert [ask(gateway).status_code for _ in range(3)] == [200] * 3
    assert [got.target for got in upstream.requests] == ["/token", *[provider.target] * 3]
    form = parse_qs(upstream.requests[0].body.decode())
    claims = json.loads(base64.urlsafe_b64decode(form["assertion"][0].split(".")[1] + "=="))
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
