"""Tokens come from where they were declared, are renewed in time, and are never shown."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.errors import UpstreamError
from ai_gateway.manifest.credentials import Credentials
from ai_gateway.upstream.credentials import Static, TokenFile, Wallet, expires_at, usable
from tests.upstream.fake import reply, spoken


class Clock(SystemClock):
    """A clock whose time of day a test sets."""

    time = 1000.0

    def now(self) -> float:
        return self.time


def jwt(**claims: Any) -> str:
    """An unsigned token with ``claims``."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


def write(path: Path, text: str, at: float) -> None:
    """Write ``text`` as if at that time."""
    path.write_text(text)
    os.utime(path, (at, at))


@pytest.mark.parametrize(
    "text",
    [
        "a.token",
        "  a.token\n",
        "\ufeffa.token",
        '{"access_token": "a.token", "token_type": "Bearer"}',
        '\n{"access_token": " a.token "}',
    ],
)
def test_a_file_holds_a_token(tmp_path: Path, text: str) -> None:
    """A token file is plain text or JSON with an access_token."""
    file = tmp_path / "jwt"
    file.write_text(text)
    assert TokenFile(str(file), Clock()).token() == "a.token"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "{}",
        "{",
        '{"access_token": 5}',
        '{"access_token": ""}',
        "two words",
        "a\nb",
        "é",
        "x" * 70_000,
        '{"token": "hush"}',
    ],
)
def test_a_file_without_a_usable_token(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the path, the error does not, and neither says what is in the file."""
    file = tmp_path / "jwt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UpstreamError, match="cannot be read") as caught:
        TokenFile(str(file), Clock()).token()
    assert str(file) in caplog.text
    assert str(file) not in caught.value.message
    assert "hush" not in caught.value.message + caplog.text
    assert "two" not in caught.value.message + caplog.text


def test_a_missing_or_unreadable_file(tmp_path: Path) -> None:
    """A file that is not there, and one that is a folder, are errors."""
    with pytest.raises(UpstreamError, match="cannot be read"):
        TokenFile(str(tmp_path / "none"), Clock()).token()
    with pytest.raises(UpstreamError, match="cannot be read"):
        TokenFile(str(tmp_path), Clock()).token()


def test_a_jwt_is_kept_until_shortly_before_its_end(tmp_path: Path) -> None:
    """A JWT is read again a minute before its exp, and not before, whatever happens to the file."""
    file, clock = tmp_path / "jwt", Clock()
    first, second = jwt(exp=2000), jwt(exp=9000.5)
    write(file, first, 1)
    tokens = TokenFile(str(file), clock)
    assert tokens.token() == first
    write(file, second, 2)
    clock.time = 1939.0
    assert tokens.token() == first
    clock.time = 1940.0
    assert tokens.token() == second


def test_a_token_without_an_end_follows_its_file(tmp_path: Path) -> None:
    """An opaque token is read again when its file changes, or after a minute."""
    file, clock = tmp_path / "jwt", Clock()
    write(file, "first", 1)
    tokens = TokenFile(str(file), clock)
    assert tokens.token() == tokens.token() == "first"
    write(file, "second", 2)
    assert tokens.token() == "second"
    write(file, "third", 2)
    assert tokens.token() == "second"
    clock.time += 60
    assert tokens.token() == "third"
    file.unlink()
    with pytest.raises(UpstreamError, match="cannot be read"):
        tokens.token()


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_has_an_end_or_none(text: str) -> None:
    """Whatever stands where a JWT's claims would, its end is a number or unknown."""
    assert expires_at(f"a.{text}.c") is None or isinstance(expires_at(f"a.{text}.c"), float)
    assert expires_at(text) is None or isinstance(expires_at(text), float)


@given(st.text())
def test_a_usable_token_fits_a_header(text: str) -> None:
    """What passes as a token is printable ASCII without spaces."""
    token = usable(text)
    assert token is None or (token.isascii() and token.isprintable() and not set(token) & {" "})


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ({"token": "file:/tmp/jwt"}, "/tmp/jwt"),
        ({"token": "file:///tmp/jwt"}, "/tmp/jwt"),
        ({"token": pydantic.SecretStr("file:jwt")}, "jwt"),
        ({"token": "file:/tmp/jwt", "token_file": None}, "/tmp/jwt"),
        ({"token_file": "/tmp/jwt"}, "/tmp/jwt"),
        ({"token": "plain"}, None),
        ({}, None),
    ],
)
def test_a_file_may_stand_where_a_token_does(written: Any, path: str | None) -> None:
    """`token: file:/path` is `token_file: /path`."""
    spec = Credentials.model_validate(written)
    assert spec.token_file == path
    assert (spec.token is None) == (written.get("token") != "plain")


def test_a_token_and_a_file_contradict_each_other() -> None:
    """One of the two is declared, never both; the error does not show the token."""
    with pytest.raises(pydantic.ValidationError, match="not both") as caught:
        Credentials.model_validate({"token": "hush", "token_file": "/tmp/jwt"})
    assert "hush" not in str(caught.value)


def test_a_wallet_holds_one_object_a_file(tmp_path: Path) -> None:
    """Two models with one token file share what was read; tokens stay out of reprs."""
    wallet = Wallet(Clock())
    spec = Credentials(token_file=str(tmp_path / "jwt"))
    assert wallet.credential("w", spec) is wallet.credential("w", spec.model_copy())
    assert repr(wallet.credential("w", spec)) == f"TokenFile('{tmp_path}/jwt')"
    static = wallet.credential("w", Credentials.model_validate({"token": "hush"}))
    assert static == Static("hush")
    assert "hush" not in repr(static)
    static.renew()
    assert static.token() == "hush"


def test_a_held_token_stays_out_of_reprs(tmp_path: Path) -> None:
    """What a token file remembers does not show the token."""
    file = tmp_path / "jwt"
    file.write_text("hush")
    tokens = TokenFile(str(file), Clock())
    tokens.token()
    assert "hush" not in repr(tokens) + repr(tokens._held)


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "é"])
def test_an_unusable_static_token(ask: Any, upstream: Any, token: str) -> None:
    """A token that no header can carry is one error, and not shown."""
    with pytest.raises(UpstreamError, match="The model meta/llama has a token that is empty"):
        ask(credentials={"token": token})
    assert not upstream.requests


def test_a_refused_token_is_read_again_once(ask: Any, upstream: Any, tmp_path: Path) -> None:
    """After a 401 the file is read again, and the call made once more with what is in it."""
    file = tmp_path / "jwt"
    file.write_text(jwt(exp=99999999999))

    def renewed(connection: Any, _received: Any) -> None:
        file.write_text("renewed")
        connection.sendall(reply(b"", 401))

    upstream.script(renewed)
    assert spoken(ask(credentials={"token_file": str(file)})) == "hello"
    first, second = (got.headers["authorization"] for got in upstream.requests)
    assert first.startswith("Bearer ey")
    assert second == "Bearer renewed"
    assert len(upstream.open) == 1


def test_a_token_that_stays_refused_is_an_error(ask: Any, upstream: Any, tmp_path: Path) -> None:
    """A second 401 ends the call, and the token is not in the error."""
    file = tmp_path / "jwt"
    file.write_text("hush")
    upstream.always = reply("hush", 401)
    with pytest.raises(UpstreamError, match="refused the gateway's credentials") as caught:
        ask(credentials={"token_file": str(file)})
    assert len(upstream.requests) == 2
    assert "hush" not in caught.value.message
