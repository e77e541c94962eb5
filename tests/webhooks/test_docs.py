"""The page says what the code does, and its snippets verify what the gateway sends."""

from __future__ import annotations

import re
from contextlib import nullcontext

import pytest
import yaml
from standardwebhooks import WebhookVerificationError

from ai_gateway.manifest.model import Manifest
from ai_gateway.webhooks.declared import OF_GATEWAY, OF_REQUEST, Callback, Redelivery
from ai_gateway.webhooks.hooks import MOST
from tests.conftest import ROOT
from tests.webhooks.conftest import OTHER, SECRET

PAGE = (ROOT / "docs" / "webhooks.md").read_text("utf-8")


def test_every_event_and_key_stands_on_the_page() -> None:
    """Each type, each key and each default that is a number."""
    names = [*OF_REQUEST, *OF_GATEWAY, *Callback.model_fields, *Redelivery.model_fields]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert f"`attempts` ({Redelivery().attempts}, in all)" in PAGE
    assert f"{MOST:,} wait for each callback" in PAGE


def test_how_long_it_is_tried_is_worked_out() -> None:
    """57 minutes are the sum of the longest waits between the default's attempts."""
    retries = Redelivery()
    waits = [
        min(retries.max_backoff, retries.backoff * 2**each) for each in range(retries.attempts - 1)
    ]
    assert round(sum(waits) / 60) == 57
    assert "57 minutes" in PAGE


def test_the_examples_are_manifests() -> None:
    """Each YAML block checks."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        Manifest.model_validate(yaml.safe_load(block))


@pytest.mark.parametrize("name", ["verified", "is_ours"])
def test_the_snippets_verify_an_event(hooks, receiver, name) -> None:
    """And take none that another has signed or changed."""
    made = hooks()
    made.adopt(callback=receiver.url)
    made.tell(1)
    made.run()
    (came,) = receiver.received
    scope: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, scope)
    takes, failure = scope[name], (WebhookVerificationError if name == "verified" else None)
    assert takes(came.body, came.headers, SECRET)
    for body, secret in ((came.body, OTHER), (came.body + b" ", SECRET)):
        with pytest.raises(failure) if failure else nullcontext():
            assert not takes(body, came.headers, secret)
