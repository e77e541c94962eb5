"""Signatures are those of Standard Webhooks, and no secret is too short to be one."""

from __future__ import annotations

import base64
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from ai_gateway.webhooks import signing


def test_the_example_of_the_specification() -> None:
    """The reference libraries' own example comes out the same."""
    headers = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        [signing.secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(
    st.binary(min_size=24, max_size=64),
    st.text(),
    st.sampled_from(["", "whsec_"]),
    st.sampled_from(["", "="]),
)
def test_the_reference_signs_the_same(key: bytes, text: str, prefix: str, padding: str) -> None:
    """With its prefix or without, padded or not, and whatever is signed."""
    body = text.encode("utf-8", "replace")
    written = prefix + base64.b64encode(key).decode()
    written = written if padding else written.rstrip("=")
    now = 1_700_000_000
    found = signing.headers("id", now, body, [signing.secret(written)])["webhook-signature"]
    reference = Webhook(key)
    assert found == reference.sign("id", datetime.fromtimestamp(now, timezone.utc), body.decode())


@pytest.mark.parametrize(
    "text",
    [
        *("", "whsec_", "   ", "hunter2", "not base64 at all, however long it may be"),
        base64.b64encode(b"x" * 23).decode(),
        base64.b64encode(b"x" * 65).decode(),
        "whsec_" + "é" * 40,
    ],
)
def test_no_such_secret(text) -> None:
    """What is empty, short, long or no base64 is refused by a message that does not repeat it."""
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        signing.secret(text)
    assert not text.strip() or text not in str(refused.value)


def test_nothing_is_signed_by_nothing() -> None:
    """An empty list of secrets is a fault, never an unsigned event."""
    with pytest.raises(ValueError, match="never sent unsigned"):
        signing.headers("id", 0, b"", [])
