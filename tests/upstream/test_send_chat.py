"""A chat completion, from the body that a surface hands over to the reply that it reads."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.errors import BadRequest, UpstreamError, UpstreamTimeout
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Upstreams
from tests.upstream.conftest import CHAT
from tests.upstream.fake import completion, reply, spoken


def test_an_answer_is_read(ask: Any, upstream: Any) -> None:
    """The body and the times of a plain answer are given."""
    found = ask()
    assert (found.status, found.body) == (200, completion())
    assert 0 < found.first_byte_ms <= found.latency_ms
    assert not found.simulated
    assert found.headers["content-type"] == "application/json"


def test_a_request_is_written(ask: Any, upstream: Any) -> None:
    """The endpoint gets its own name of the model, the token, and the body else unchanged."""
    body = {"model": "auto", "messages": [], "top_k": 7, "stream": True, "stream_options": {}}
    ask(body=body, credentials={"token": "secret-token"})
    (got,) = upstream.requests
    assert (got.method, got.target) == ("POST", "/v1/chat/completions")
    assert got.json() == {"model": "meta/llama", "messages": [], "top_k": 7}
    assert got.headers["authorization"] == "Bearer secret-token"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert got.headers["content-length"] == str(len(got.body))


def test_no_credentials_no_header(ask: Any, upstream: Any) -> None:
    """A model without credentials is asked without an Authorization header."""
    ask()
    assert "authorization" not in upstream.requests[0].headers


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/endpoints/a%20b/openai/v1", "/endpoints/a%20b/openai/v1/chat/completions"),
        ("/v1?api-version=1", "/v1/chat/completions?api-version=1"),
    ],
)
def test_urls(ask: Any, upstream: Any, written: str, asked: str) -> None:
    """A URL may end in a slash or hold the full path, and keeps its query."""
    ask(url=upstream.origin + written)
    assert upstream.requests[0].target == asked


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, {"max_tokens": 100}),
        ({"max_tokens": 500}, {"max_tokens": 100}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": None}, {"max_tokens": 100}),
        ({"max_tokens": -1}, {"max_tokens": 100}),
        (
            {"max_tokens": 500, "max_completion_tokens": 5},
            {"max_tokens": 100, "max_completion_tokens": 5},
        ),
        ({"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
    ],
)
def test_the_models_limit_of_tokens_holds(ask: Any, upstream: Any, asked: Any, sent: Any) -> None:
    """A declared max_output_tokens caps what the caller asks for, and stands where he asks none."""
    ask(body={"messages": [], **asked}, max_output_tokens=100)
    assert upstream.requests[0].json() == {"messages": [], "model": "meta/llama", **sent}


@pytest.mark.parametrize("asked", ["500", 500.0, True, [5]])
def test_a_limit_that_no_cap_holds_is_refused(ask: Any, upstream: Any, asked: Any) -> None:
    """A lenient server would read a number in it; nothing is asked."""
    with pytest.raises(BadRequest, match=r"max_tokens: a whole number"):
        ask(body={"messages": [], "max_tokens": asked}, max_output_tokens=100)
    assert upstream.requests == []


@pytest.mark.parametrize(("value", "simulated"), [("true", True), ("false", False), ("1", False)])
def test_simulated(ask: Any, upstream: Any, value: str, *, simulated: bool) -> None:
    """A reply is simulated exactly if its header says true."""
    upstream.script(reply(headers={"X-Gateway-Simulated": value}))
    assert ask().simulated is simulated


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _deflate),
        ("gzip, identity, deflate", lambda data: zlib.compress(gzip.compress(data, mtime=0))),
        ("", lambda data: data),
    ],
)
def test_codings(ask: Any, upstream: Any, coding: str, pack: Any) -> None:
    """A compressed answer is read, although none was asked for."""
    data = pack(b'{"choices": [{"message": {"content": "packed"}}]}')
    upstream.script(reply(data, headers={"content-encoding": coding}))
    assert spoken(ask()) == "packed"
    assert upstream.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", b"no gzip"),
        ("deflate", b"\xff\xff\xff"),
        ("gzip", gzip.compress(b"{}" * 1000, mtime=0)[:-20]),
        ("br", b"whatever"),
        ("gzip, gzip, gzip", gzip.compress(b"{}", mtime=0)),
    ],
)
def test_broken_codings(ask: Any, upstream: Any, coding: str, data: bytes) -> None:
    """A body that cannot be decoded is one clear error."""
    upstream.script(reply(data, headers={"content-encoding": coding}))
    with pytest.raises(UpstreamError, match=r"coding that was not asked for|broken .* body"):
        ask()


def test_a_decompression_bomb_is_refused(upstream: Any) -> None:
    """A small body that grows beyond the bound is refused without growing further."""
    upstream.script(
        reply(gzip.compress(b"0" * 50_000_000, mtime=0), headers={"content-encoding": "gzip"})
    )
    model = Model(url=upstream.url, model_id="m")
    ways = Upstreams(SystemClock(), {}, max_response=100_000)
    with pytest.raises(UpstreamError, match="more than 100000 bytes"):
        ways.send(model, CHAT, {}, SystemClock().monotonic() + 5)
    ways.close()


@pytest.mark.parametrize("framing", ["content-length: 300000", "connection: close"])
def test_a_response_beyond_the_bound_is_refused(upstream: Any, framing: str) -> None:
    """A response is read up to the bound, whether its length was said or not."""
    upstream.script(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode() + b"0" * 300_000)
    ways = Upstreams(SystemClock(), {}, max_response=100_000)
    with pytest.raises(UpstreamError, match="more than 100000 bytes"):
        ways.send(Model(url=upstream.url, model_id="m"), CHAT, {}, SystemClock().monotonic() + 5)
    ways.close()


def test_a_past_deadline_sends_nothing(ask: Any, upstream: Any) -> None:
    """A call whose deadline is past ends at once, without a connection."""
    with pytest.raises(UpstreamTimeout, match="was not asked"):
        ask(within=-1.0)
    assert upstream.connections == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/v1", "no http or https address"),
        ("https:///v1", "no http or https address"),
        ("http://host:port/v1", "no http or https address"),
        ("https://user:hush@host/v1", "credentials in its URL"),
    ],
)
def test_an_unusable_url(ask: Any, url: str, said: str) -> None:
    """A URL that cannot be used is an error that does not repeat it."""
    with pytest.raises(UpstreamError, match=said) as caught:
        ask(url=url)
    assert "hush" not in caught.value.message


def test_many_models_are_remembered_within_a_bound(upstreams: Upstreams, upstream: Any) -> None:
    """Reload after reload, with new models each time, does not grow memory without end."""
    for _ in range(1100):
        upstreams._endpoint(Model(url=upstream.url, model_id="m"))
    assert len(upstreams._endpoints) <= 1000
    assert len(upstreams._transports._transports) == 1
