"""What may be declared: the short form as it stands, and no event without a secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ai_gateway.manifest.load import load
from ai_gateway.manifest.model import Manifest
from ai_gateway.settings import Settings
from ai_gateway.webhooks.declared import OF_GATEWAY, OF_REQUEST
from ai_gateway.webhooks.receivers import BUNDLE, receivers
from tests.webhooks.conftest import OTHER, SECRET

SHORT = """
routes:
  - path: /predict
    target: http://ai-service:8080
    methods: [POST]
security:
  - endpoint: /predict
    auth: api-key
    rateLimit: 100
callback: http://external-service/webhook
"""


def problems(folder: Path, text: str, secret: str | None = SECRET) -> list[str]:
    """What is wrong with a bundle."""
    (folder / "routes.yaml").write_text(text)
    variables = {"AI_GATEWAY_API_KEY": "k", "GATEWAY_DATA": str(folder / "data")}
    if secret is not None:
        variables["GATEWAY_WEBHOOK_SECRET"] = secret
    _, found = load(Settings.read(folder, variables))
    return [str(problem).partition(": ")[2] for problem in found]


def test_the_short_form_is_valid_as_it_stands(tmp_path: Path) -> None:
    """Routes, security and a callback are a whole bundle, once there are a key and a secret."""
    assert problems(tmp_path, SHORT) == []
    assert problems(tmp_path, SHORT, f"{SECRET} {OTHER}") == []


@pytest.mark.parametrize(
    ("secret", "found"),
    [
        (None, "not set, and a callback without a secret of its own"),
        ("", "not set, and a callback without a secret of its own"),
        ("  ", "not set, and a callback without a secret of its own"),
        ("hunter2", "no such secret"),
        ("whsec_", "no such secret"),
        (f"{SECRET} hunter2", "no such secret"),
        (base64.b64encode(b"x" * 16).decode(), "no such secret"),
        (f"{SECRET} {OTHER} {SECRET}", "3 secrets"),
    ],
)
def test_without_a_secret_nothing_starts(tmp_path: Path, secret, found) -> None:
    """An empty one is none: no event is ever unsigned. What was found is not repeated."""
    (said,) = problems(tmp_path, SHORT, secret)
    assert said.startswith(f"GATEWAY_WEBHOOK_SECRET: found {found}, wanted ")
    assert "hunter2" not in said


def test_a_callback_with_a_secret_needs_no_other(tmp_path: Path) -> None:
    """The variable is for those that have none of their own."""
    long = SHORT.replace(
        "callback: http://external-service/webhook",
        f"callback: {{url: 'http://external-service/webhook', secret: {SECRET}}}",
    )
    assert problems(tmp_path, long, None) == []
    empty = long.replace(SECRET, '""')
    (said,) = problems(tmp_path, empty, SECRET)
    assert said.startswith("callback.secret: found no such secret")


def test_no_secret_is_shown() -> None:
    """Neither what is declared nor who is told shows one, or the address."""
    manifest = Manifest.model_validate({"callback": {"url": "https://h/token", "secret": SECRET}})
    found = receivers(manifest, [])
    assert SECRET not in repr(manifest)
    assert "token" not in repr(found)
    assert "secrets" not in repr(found)
    assert found[BUNDLE].events == {*OF_REQUEST, *OF_GATEWAY}
