"""Tokens out of AWS and Google credentials; tests/upstream/test_providers.py has the wires."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamDenied
from ai_gateway.manifest.checks.models import check_credentials
from ai_gateway.manifest.credentials import Aws, Credentials, Google
from ai_gateway.upstream.clouds import Minted, aws, google
from ai_gateway.upstream.credentials import Wallet
from tests.resilience.moving import MovingClock


def test_a_token_is_made_anew_before_it_ends() -> None:
    """One token is used until its time, the next is made then, or when it was refused."""
    clock = MovingClock()
    made = []

    def mint() -> tuple[str, float]:
        made.append(f"token {len(made)}")
        return made[-1], clock.now() + 300

    minted = Minted("AWS", lambda: mint, clock)
    assert [minted.token(), minted.token()] == ["token 0"] * 2
    clock.sleep(300)
    assert [minted.token(), minted.token()] == ["token 1"] * 2
    minted.renew()
    assert minted.token() == "token 2"
    assert "token" not in repr(minted)


def test_many_threads_make_one_token() -> None:
    """Calls that come at once wait for the one token instead of making each its own."""
    together = threading.Barrier(8)
    made = []

    def mint() -> tuple[str, float]:
        made.append("token")
        time.sleep(0.1)  # in which the others come to wait
        return "token", SystemClock().now() + 300

    minted = Minted("AWS", lambda: mint, SystemClock())

    def ask(_number: int) -> str:
        together.wait(5)
        return minted.token()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"token"}
    assert made == ["token"]


def test_no_credentials(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    """Where a cloud's library finds nothing the call fails as the gateway's own trouble."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(UpstreamDenied, match="own AWS credentials"):
        aws(Aws(region="us-west-2"), SystemClock()).token()
    wrong = tmp_path / "account.json"
    wrong.write_text('{"type": "service_account", "private_key": "hush"}')
    with pytest.raises(UpstreamDenied, match="own Google credentials"):
        google(Google(key_file=str(wrong)), SystemClock()).token()
    assert "LookupError" in caplog.text
    assert "hush" not in caplog.text


def test_one_source_for_each_spec() -> None:
    """Models that declare the same credentials share their token."""
    wallet = Wallet(SystemClock())
    here, there = Aws(region="us-west-2"), Aws(region="eu-west-1")
    specs = [here, Aws(region="us-west-2"), there]
    first, same, other = (wallet.credential("m", Credentials(aws=spec)) for spec in specs)
    assert first is same
    assert first is not other
    default = Credentials(google=Google())
    assert wallet.credential("m", default) is wallet.credential("n", default)


@pytest.mark.parametrize("module", ["no.such.library", "nosuchlibrary"])
def test_a_missing_extra_is_told_at_start(module: str) -> None:
    """A manifest that names a cloud without its library does not start, and says what to do."""
    spec = Credentials(aws=Aws(region="us-west-2"))
    (found,) = check_credentials(("credentials",), spec, {"aws": module, "google": "json"})
    assert found.at == ("credentials", "aws")
    assert "pip install '.[aws]'" in found.wanted
    assert list(check_credentials((), spec)) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"token": "t", "aws": {"region": "us-west-2"}}, "either `token` or `aws`"),
        ({"aws": {"region": "us-west-2"}, "google": {}}, "either `aws` or `google`"),
        ({"aws": {"region": "US West"}}, "region"),
        ({"token": "t", "header": "host"}, "a header for a key"),
        ({"token": "t", "header": 5}, "a header for a key"),
    ],
)
def test_credentials_that_are_none(spec: dict[str, Any], said: str) -> None:
    """Two ways at once, no region, and a header that carries no key are refused."""
    with pytest.raises(ValueError, match=said):
        Credentials.model_validate(spec)
