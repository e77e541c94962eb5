"""Every shape of a refusal on the wire becomes one clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.errors import (
    UpstreamColdStart,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ai_gateway.upstream import errors
from tests.upstream.fake import reply, spoken

pytestmark = pytest.mark.wire

TEXT = "text/plain"
ENVOY = "upstream connect error or disconnect/reset before headers."
OF_A_TOOL = '{"error":{"message":"tool backend: context deadline exceeded"}}'
PAGE = "<!DOCTYPE html><html><body>Sign in at https://sso.internal</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"object": "error", "message": "too long", "type": "x", "code": 400}, "too long"),
        (400, {"error": {"message": "too long", "type": "x", "code": 400}}, "too long"),
        (400, {"error": {"code": "400", "message": "bad param", "param": ""}}, "bad param"),
        (400, {"error": "shape mismatch"}, "shape mismatch"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "not an int"}]}, "not an int"),
        (422, {"detail": [{"msg": "one"}, {"msg": "two"}]}, "one; two"),
        (404, {"detail": "Not Found"}, "Not Found"),
        (404, {"status": 404, "title": "Not Found", "detail": "Function unknown"}, "unknown"),
        (404, "404 page not found", "404 page not found"),
        (404, {"object": "error", "message": "no such model", "code": 404}, "no such model"),
        (413, "", "refused the request."),
        (400, {"error": {"message": "filtered", "code": "content_filter"}}, "filtered"),
        (400, {}, "refused the request."),
        (400, "[1, 2", "[1, 2"),
    ],
)
def test_what_the_caller_did_is_the_callers(
    ask: Any, upstream: Any, status: int, body: Any, said: str
) -> None:
    """400, 404, 413 and 422 pass on with their status and the upstream's words."""
    data = body if isinstance(body, str) else json.dumps(body)
    upstream.script(reply(data.encode(), status))
    with pytest.raises(UpstreamRefused) as caught:
        ask()
    assert caught.value.status == status
    assert said in caught.value.message
    assert caught.value.message.startswith("The model meta/llama ")


@pytest.mark.parametrize("status", [401, 402, 403])
def test_refused_credentials_are_the_gateways(ask: Any, upstream: Any, status: int) -> None:
    """The caller never sees the upstream's 401 or 403, which are about the gateway's own token."""
    upstream.script(reply({"error": {"message": "Incorrect API key provided"}}, status))
    with pytest.raises(UpstreamError, match="refused the gateway's credentials") as caught:
        ask(credentials={"token": "t0ken"})
    assert (caught.value.status, caught.value.code) == (502, "upstream_credentials")
    assert (caught.value.may_have_run, len(upstream.requests)) == (False, 1)
    assert "t0ken" not in caught.value.message


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ({"retry-after": "7"}, {"retry-after": "7"}),
        (
            {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"},
            {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"},
        ),
        ({"retry-after": "7.66"}, {"retry-after": "8"}),
        ({"retry-after": "2, 3"}, {"retry-after": "3"}),
        ({"retry-after": "9" * 400}, {"retry-after": "999999999"}),
        ({"retry-after-ms": "0.5"}, {"retry-after-ms": "1"}),
        ({"retry-after": "soon <script>"}, {}),
        ({}, {}),
    ],
)
def test_too_many_requests(ask: Any, upstream: Any, headers: Any, passed: Any) -> None:
    """A 429 stays one, and its Retry-After passes on if it is one: of two the longer, in bounds."""
    upstream.script(reply({"status": 429, "title": "Too Many Requests"}, 429, headers))
    with pytest.raises(UpstreamRateLimited, match="Too Many Requests") as caught:
        ask()
    assert (caught.value.status, caught.value.headers) == (
        429,
        {"x-upstream-status": "429", **passed},
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "may_have_run"),
    [
        (503, "context deadline exceeded", UpstreamColdStart, False),
        (503, "pending request queue full", UpstreamColdStart, False),
        (503, "no healthy upstream", UpstreamColdStart, False),
        (503, f"{ENVOY} reset reason: connection failure", UpstreamColdStart, False),
        (503, f"{ENVOY} reset reason: connection termination", UpstreamUnavailable, True),
        (502, ENVOY, UpstreamColdStart, False),
        (504, "activator request timeout", UpstreamColdStart, False),
        (500, "context deadline exceeded", UpstreamError, False),
        (500, OF_A_TOOL, UpstreamError, False),
        (503, OF_A_TOOL, UpstreamUnavailable, False),
        (529, '{"type":"error","error":{"message":"Overloaded"}}', UpstreamUnavailable, False),
        (503, "", UpstreamUnavailable, False),
        (504, "request timeout", UpstreamTimeout, True),
        (504, "", UpstreamTimeout, True),
        (408, "", UpstreamTimeout, False),
        (500, '{"error":{"message":"EngineCore died","code":500}}', UpstreamError, False),
        (502, PAGE, UpstreamError, True),
        (418, "teapot", UpstreamError, False),
        (999, "", UpstreamError, False),
    ],
)
def test_failures_keep_their_kind(
    ask: Any,
    upstream: Any,
    status: int,
    body: str,
    kind: type[UpstreamError],
    *,
    may_have_run: bool,
) -> None:
    """A cold start is known by its status and its text, which is plain; JSON is a model's own.

    What lost an answer on its way may have let it run.
    """
    upstream.script(reply(body.encode(), status, {"retry-after": "3"}, TEXT))
    with pytest.raises(UpstreamError) as caught:
        ask()
    assert type(caught.value) is kind
    assert caught.value.may_have_run is may_have_run
    assert str(status) in caught.value.message
    assert caught.value.headers == {"retry-after": "3", "x-upstream-status": str(status)}
    assert "sso.internal" not in caught.value.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(ask: Any, upstream: Any, status: int) -> None:
    """A redirect, as a login proxy answers, is an error and leads nowhere."""
    upstream.script(reply(b"", status, {"location": f"{upstream.origin}/login"}, "text/html"))
    with pytest.raises(UpstreamError, match="redirect") as caught:
        ask()
    assert caught.value.status == 502
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (PAGE.encode(), "text/html; charset=utf-8", "HTML page"),
        (b"", "application/json", "empty body"),
        (b"all fine", TEXT, "something where JSON was due"),
        (b"[]", "application/json", "no object"),
        (b'{"choices": [{"message": {"content": NaN}}]}', "application/json", "NaN, which is no J"),
        (b'{"data": [-Infinity]} 1', "application/json", "-Infinity, which is no JSON, where"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "application/json", "JSON was due"),
        (b"[" * 5000, "application/json", "JSON was due"),
    ],
)
def test_success_that_is_none(
    ask: Any, upstream: Any, body: bytes, content_type: str, said: str
) -> None:
    """Status 200 with anything but a JSON object is one clear error; the call may have run."""
    upstream.script(reply(body, 200, None, content_type))
    with pytest.raises(UpstreamError, match=said) as caught:
        ask()
    assert (caught.value.status, caught.value.may_have_run) == (502, True)


def test_a_long_answer_with_many_brackets_is_read(ask: Any, upstream: Any) -> None:
    """Many small objects, as log probabilities are, are no nesting."""
    choice = {"message": {"content": "ok"}, "logprobs": {"content": [{"t": []}] * 300}}
    upstream.script(reply({"choices": [choice]}))
    assert spoken(ask()) == "ok"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"error": {"message": "m", "code": 400}}, UpstreamRefused, 400),
        ({"error": {"message": "m", "code": "429"}}, UpstreamRateLimited, 429),
        ({"object": "error", "message": "m", "code": 404}, UpstreamRefused, 404),
        ({"error": {"message": "m", "code": "weird"}}, UpstreamError, 500),
        ({"error": "m"}, UpstreamError, 500),
        ({"object": "error", "message": "m"}, UpstreamError, 500),
        ({"error": {"message": "m"}, "code": 503}, UpstreamUnavailable, 503),
    ],
)
def test_an_error_under_status_200(
    ask: Any, upstream: Any, body: Any, kind: type[UpstreamError], status: int
) -> None:
    """An error body that came with status 200 counts as the status that it names."""
    upstream.script(reply(body))
    with pytest.raises(UpstreamError, match="It said: m") as caught:
        ask()
    assert (type(caught.value), caught.value.status) == (kind, status)


def test_a_null_error_is_none(ask: Any, upstream: Any) -> None:
    """An answer with `error: null` beside its choices is an answer."""
    upstream.script(reply({"error": None, "choices": [{"message": {"content": "ok"}}]}))
    assert spoken(ask()) == "ok"


def test_words_are_cut(ask: Any, upstream: Any) -> None:
    """The upstream's words are cut to a length that is safe to pass on, on one line."""
    upstream.script(reply({"error": {"message": "a\r\n\x1b[31mb\u200b" + "c" * 5000}}, 400))
    with pytest.raises(UpstreamRefused) as caught:
        ask()
    said = caught.value.message.split("It said: ")[1]
    assert said.startswith("a [31mbccc")
    assert said.endswith("…")
    assert len(said) == 300


@pytest.mark.parametrize(
    "echo",
    [
        "You sent Authorization: Bearer s3cret/t0ken+x",
        "key s3cret/t0ken+x is wrong",
        "key s3cret%2Ft0ken%2Bx is wrong",
        "key s3cret/\u200bt0ken+x is wrong",
        "Basic dXNlcjpwYXNzd29yZA==",
        "x" * 19_995 + "s3cret/t0ken+x",
    ],
)
def test_an_echoed_token_is_scrubbed(ask: Any, upstream: Any, echo: str) -> None:
    """An upstream that echoes the token does not get it to the caller, whole or in part."""
    upstream.script(reply({"error": {"message": echo}}, 400))
    with pytest.raises(UpstreamRefused) as caught:
        ask(credentials={"token": "s3cret/t0ken+x"})
    for part in ("s3cr", "t0ken", "dXNlcjpwYXNz"):
        assert part not in caught.value.message


def test_a_token_at_the_end_of_what_is_read_is_scrubbed() -> None:
    """A token that the cut splits does not leave its first half behind."""
    token = "abcdefghijklmnop"
    text = "\x00" * (20_000 - 8) + token
    assert errors.clean(text, token) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "msg", "object", "choices"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    status=st.integers(100, 999),
    headers=st.dictionaries(st.sampled_from(["content-type", "retry-after"]), st.text()),
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    token=st.none() | st.text("abc/+=.", min_size=4),
)
def test_any_refusal_is_one_safe_error(
    status: int, headers: dict[str, str], body: bytes, token: str | None
) -> None:
    """Any status, headers and body become one error with short, printable, tokenless words."""
    found = errors.refusal("The model m", status, headers, body, token)
    assert isinstance(found, UpstreamError)
    assert 400 <= found.status < 600
    assert found.status not in (401, 403)
    assert len(found.message) < errors.WORDS + 200
    assert found.message.isprintable()
    if token is not None:
        assert token not in found.message.split("It said: ")[-1]


@given(JSON)
def test_any_json_has_a_code_or_none(value: Any) -> None:
    """The search for an error's code in a body takes any object."""
    body = value if isinstance(value, dict) else {"error": value}
    found = errors.code(body)
    assert found is None or 400 <= found <= 599
