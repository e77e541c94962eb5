"""A reply's head: what may stand in it, and what comes of a body that it does not fit."""

from __future__ import annotations

import gc
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.hosting.head import Head, status_line
from ai_gateway.hosting.safety import Safety
from tests.hosting.conftest import head, read, running

PLAIN = Safety(tls=False)
ALWAYS = PLAIN.missing({})


def lines(*headers: tuple[str, str]) -> bytes:
    """The header lines of a reply's own."""
    found = Head.of(200, headers, PLAIN).lines
    assert found.endswith(ALWAYS)
    return found.removesuffix(ALWAYS)


def test_headers_are_lines() -> None:
    """Names go out in lower case, values as Latin-1, in their order."""
    found = lines(("X-B", "caf\xe9"), ("x-a", "a\tb"), ("x-a", "c"))
    assert found == b"x-b: caf\xe9\r\nx-a: a\tb\r\nx-a: c\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "a"),
        ("x y", "a"),
        ("x:y", "a"),
        ("x\r\nx-b", "a"),
        ("x\n", "a"),
        ("caf\xe9", "a"),
        ("x-a", "a\r\nx-b: c"),
        ("x-a", "a\x00"),
        ("x-a", "a\x7f"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_what_is_no_header_is_refused(name: str, value: str) -> None:
    """A reply is framed by the server alone."""
    with pytest.raises(ValueError, match="header"):
        Head.of(200, [("x-ok", "1"), (name, value)], PLAIN)


@given(st.text(string.printable + "\x00\x1f\x7f\x85\xa0\xad\xff"))
def test_a_value_ends_no_line(value: str) -> None:
    """Whatever it holds, it stays one value, or is refused."""
    try:
        found = lines(("x-a", value))
    except ValueError:
        assert any(char < " " or char == "\x7f" for char in value.replace("\t", " "))
    else:
        assert found == f"x-a: {value}\r\n".encode("latin-1")


def test_what_a_head_says_of_its_body() -> None:
    """Its length where one is declared, and whether the connection ends."""
    declared = Head.of(200, [("Content-Length", "5"), ("Connection", "Close")], PLAIN)
    assert (declared.length, declared.closing) == (5, True)
    assert declared.sized(7) is declared
    open_ = Head.of(200, [], PLAIN)
    assert (open_.length, open_.closing) == (None, False)
    assert open_.sized(7) == Head(200, ALWAYS + b"content-length: 7\r\n", 7)


@pytest.mark.parametrize(("status", "line"), [(404, b"404 Not Found"), (599, b"599 ")])
def test_first_line(status: int, line: bytes) -> None:
    """A status without a name has none."""
    assert status_line(status) == b"HTTP/1.1 " + line + b"\r\n"


@pytest.mark.parametrize("pieces", [[b"1234"], [b"123456"], [b"12", b"345678"], [b"123", b""]])
def test_a_body_that_does_not_fit_its_head_never_looks_whole(pieces: list[bytes]) -> None:
    """The connection ends before five bytes of five were sent."""

    def app(_environ: object, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        return pieces

    with running(app) as server, server.connect() as caller:
        caller.sendall(head("GET", "/") * 2)
        stream = caller.makefile("rb")
        said = stream.read()
    assert b"\r\n\r\n" not in said or len(said.split(b"\r\n\r\n", 1)[1]) < 5
    assert said.count(b"HTTP/1.1") <= 1


def test_a_request_leaves_nothing_for_the_collector() -> None:
    """What it was made of is freed with its last byte; at a thousand in flight a look is dear."""

    def app(_environ: object, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with running(app) as server, server.connect() as caller:
        for _ in range(2):  # what is made once is made before
            gc.collect()
            gc.disable()
            try:
                for _ in range(200):
                    caller.sendall(head("POST", "/", "Content-Length: 2") + b"{}")
                    assert read(caller).status == 200
                left = gc.collect()
            finally:
                gc.enable()
        assert left < 200
