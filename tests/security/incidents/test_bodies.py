"""What a body can do: neither take long nor say two things."""

import json
import time

import pytest

from tests.gateway.test_every_surface import POLICIES, ROUTES, SURFACES

PART = b'Content-Disposition: form-data; name="prompt"\r\n\r\na\r\n'


@pytest.fixture
def gateway(start):
    """Chat, messages, responses and a form, under a policy that blocks one word."""
    return start(ROUTES, policies=POLICIES)


def form(boundary: bytes, *parts: bytes, end: bytes = b"--\r\n") -> bytes:
    """A body of parts between ``boundary``."""
    pieces = [b"--" + boundary + b"\r\n" + part for part in parts]
    return b"".join(pieces) + b"--" + boundary + end


def test_13_no_body_takes_long(gateway) -> None:
    """Dashes behind a boundary, endless boundaries, parts, headers, depth: refused in no time."""
    forms = {
        "dashes at the end": (b"x", form(b"x", PART, end=b"-" * 9_000_000)),
        "dashes in a line": (b"x", form(b"x", PART, end=b"-" * 9_000_000 + b"\r\n")),
        "a long boundary": (b"x" * 60_000, form(b"x" * 60_000, PART)),
        "almost the boundary": (b"x" * 70, form(b"x" * 70, (b"\r\n--" + b"x" * 69) * 100_000)),
        "many parts": (b"x", form(b"x", *[PART] * 100_000)),
        "many headers": (b"x", form(b"x", b"A: b\r\n" * 500_000 + b"\r\na\r\n")),
        "a long header": (b"x", form(b"x", b"A: " + b"b" * 5_000_000 + b"\r\n\r\na\r\n")),
        "line ends": (b"x", form(b"x", b"\r" * 5_000_000)),
        "no end": (b"x", b"--x\r\n" + PART),
        "no boundary in it": (b"x", b"-" * 9_000_000),
        "an empty boundary": (b"", b"----\r\n"),
        "quotes": (b'"' + b"\\" * 30_000 + b'"', b"----\r\n"),
    }
    bodies = {
        "depth": b"[" * 5_000_000,
        "depth of objects": b'{"a":' * 1_000_000,
        "closed depth": b"[" * 4_000_000 + b"]" * 4_000_000,
        "a number": b"1" * 5_000_000,
        "an exponent": b'{"messages": 1e' + b"9" * 1_000_000 + b"}",
        "many keys": b"{" + b",".join(b'"%d":1' % n for n in range(300_000)) + b"}",
        "equal keys": b"{" + b",".join([b'"a":1'] * 300_000) + b"}",
        "escapes": b'"' + b"\\u0000" * 800_000 + b'"',
        "half an escape": b'{"messages": "' + b"\\" * 999_999,
        "spaces": b" " * 9_000_000,
        "not UTF-8": b'{"messages": "' + b"\xff" * 1_000_000 + b'"}',
    }
    tried = [
        ("/v1/audio/transcriptions", f"multipart/form-data; boundary={line.decode()}", body, name)
        for name, (line, body) in forms.items()
    ]
    tried += [
        (path, "application/json", body, name)
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses")
        for name, body in bodies.items()
    ]
    for path, kind, body, name in tried:
        started = time.process_time()
        reply = gateway.client.post(path, data=body, content_type=kind, headers=gateway.headers)
        assert 400 <= reply.status_code < 500, (path, name, reply.status_code)
        assert time.process_time() - started < 5, (path, name)
        assert len(reply.data) < 2000, "a refusal does not say all that it refuses"
    assert not gateway.simulator.counts


def test_16_two_readings_of_a_body_are_one_refusal(gateway) -> None:
    """Keys that differ in case or stand twice are refused; what was checked is what is sent."""
    text = b'[{"role": "user", "content": "xyzzy"}]'
    fine = b'[{"role": "user", "content": "fine"}]'
    chat = {surface.path: surface for surface in SURFACES}["/v1/chat/completions"]
    two = [
        b'{"model": "model-a", "messages": %b, "messages": %b}' % (fine, text),
        b'{"model": "model-a", "messages": %b, "Messages": %b}' % (fine, text),
        b'{"model": "model-a", "messages": %b, "MESSAGES": %b}' % (fine, text),
        b'{"model": "model-a", "messages": %b, "m\\u0065ssages": %b}' % (fine, text),
        '{"model": "model-a", "messages": FINE, "me\u017f\u017fages": TEXT}'.encode()
        .replace(b"FINE", fine)
        .replace(b"TEXT", text),
        b'{"model": "model-a", "messages": [{"role": "user", "content": "a", "Content": "xyzzy"}]}',
        b'{"model": "model-a", "messages": [{"role": "user", "content": "a", "content": "xyzzy"}]}',
        b'{"model": "model-a", "messages": %b}{"messages": %b}' % (fine, text),
        b'{"model": "model-a", "messages": %b} // %b' % (fine, text),
        b'\xef\xbb\xbf{"model": "model-a", "messages": %b}' % text,
        b'{"model": "model-a", "messages": %b, "n": NaN}' % fine,
        b'{"model": "model-a", "messages": %b, "n": 1e999}' % fine,
        b'{"model": "model-a", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "model-a", "messages": %b, "x_new": "\\u0078yzzy"}' % fine,
        b'{"model": "model-a", "messages": %b, "x_new": {"say \\u0078yzzy now": 1}}' % fine,
    ]
    for key in (b"Messages", b"MESSAGES", "me\u017f\u017fages".encode(), b"Model", b"model"):
        body = b'{"model": "model-a", "messages": %b, "%b": %b}' % (fine, key, fine)
        reply = gateway.client.post(chat.path, data=body, headers=gateway.headers)
        assert reply.status_code == 400, key
    for body in two:
        reply = gateway.client.post(chat.path, data=body, headers=gateway.headers)
        assert reply.status_code in (400, 403), body
    latin = '{"model": "model-a", "messages": [{"role": "user", "content": "xyzzy"}]}'
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-7"):
        data = latin.encode(encoding)
        kind = f"application/json; charset={encoding}"
        reply = gateway.client.post(
            chat.path, data=data, content_type=kind, headers=gateway.headers
        )
        assert reply.status_code in (400, 403), encoding
    assert not gateway.simulator.counts
    odd = (
        b'{"model":"model-a","messages":[{"role":"user","content":"a\\u0062\\/"}],'
        b'"x_new":{"\\u0061":1.50}}'
    )
    reply = gateway.client.post(chat.path, data=odd, headers=gateway.headers)
    assert reply.status_code == 200
    (seen,) = gateway.simulator.requests
    (row,) = (row for row in gateway.rows() if row["status"] == 200)
    recorded = json.loads(row["request"])
    assert seen.body["messages"] == recorded["messages"] == [{"role": "user", "content": "ab/"}]
    assert seen.body["x_new"] == {"a": 1.5}
