"""A form has one reading, or none."""

import contextlib
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.contract import Event
from ai_gateway.errors import BadRequest, TooLarge
from ai_gateway.manifest.model import Route
from ai_gateway.surfaces import forms

PROTOCOL = frozenset({"model", "prompt", "stream", "include[]"})
FILES = frozenset({"file", "image[]"})


def event(body: bytes, content_type: str) -> Event:
    """A request with this body."""
    route = Route(path="/a", function="functions.ping:handle")
    return Event(
        "1" * 32, route, "POST", "/a", 0.0, headers={"content-type": content_type}, body=body
    )


def parse(body: bytes, content_type: str = "multipart/form-data; boundary=XX") -> forms.Form:
    """What is read of a body."""
    return forms.parse(event(body, content_type), PROTOCOL, FILES)


def part(name: str, value: bytes, more: str = "", headers: str = "") -> bytes:
    """One part of a form, with the delimiter before it."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{headers}\r\n'
    return head.encode() + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + b"--XX--\r\n"


FILE = part("file", b"\x00\r\n\xff", '; filename="a.wav"', "Content-Type: audio/wav\r\n")


def test_fields_and_files_are_read() -> None:
    """Fields are texts, files are described in their place; a name in [] may stand again."""
    more = (part("include[]", b"x"), part("include[]", b"y"), part("stream", b"true"))
    found = parse(form(part("model", b"m"), FILE, *more))
    (file,) = found.files
    assert (file.name, file.filename, file.content_type) == ("file", "a.wav", "audio/wav")
    assert file.data == b"\x00\r\n\xff"
    assert found.body == {
        "model": "m",
        "file": file.described(),
        "include[]": ["x", "y"],
        "stream": True,
    }


def test_several_files_of_a_name_keep_their_order() -> None:
    """What an API takes several of comes as it was sent; a type is made up where there is none."""
    pictures = [part("image[]", text, '; filename="p"') for text in (b"1", b"2")]
    found = parse(form(*pictures))
    assert [file.data for file in found.files] == [b"1", b"2"]
    assert [item["bytes"] for item in found.body["image[]"]] == [1, 1]
    assert {file.content_type for file in found.files} == {"application/octet-stream"}


def test_what_is_unknown_passes() -> None:
    """A field and a file that the gateway knows nothing of are kept."""
    found = parse(form(part("vad", b"on"), part("voice_sample", b"\xff", '; filename="v"')))
    assert (found.body["vad"], found.files[0].name) == ("on", "voice_sample")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (form(part("model", b"a"), part("model", b"b")), "model: the field stands twice"),
        (form(FILE, FILE), "file: the field stands twice"),
        (form(part("Prompt", b"a")), "'Prompt' is 'prompt' in other letters"),
        (form(part("\u017ftream", b"a")), "is 'stream' in other letters"),
        (form(part("file", b"", '; filename="f"', "Content-Type: a/b\nx: y\r\n")), "content type"),
        (form(part("file", b"", '; filename="f"', "Content-Type: a/b\rx: y\r\n")), "content type"),
        (form(part("file", b"", '; filename="f"', "Content-Type: a/\u00e9\r\n")), "content type"),
        (form(part("FILE", b"a", '; filename="f"')), "'FILE' is 'file' in other letters"),
        (form(part("prompt", b"a", '; filename="f"')), "prompt: a text was expected"),
        (form(part("file", b"a")), "file: a file was expected"),
        (form(part("prompt", b"\xff")), "prompt: UTF-8 was expected"),
        (form(part("prompt", b"a", "", "Content-Type: text/plain; charset=utf-16\r\n")), "UTF-8"),
        (form(part("stream", b"yes")), "stream: true or false was expected"),
        (part("model", b"a"), "cannot be read"),
        (b"", "cannot be read"),
        (b"--XX\r\nno header\r\n\r\na\r\n--XX--", "cannot be read"),
    ],
)
def test_what_has_no_one_reading_is_refused(body: bytes, said: str) -> None:
    """Doubles, other letters, files for texts, other encodings and broken forms are 400."""
    with pytest.raises(BadRequest, match=said):
        parse(body)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_a_form_says_whether_it_streams(written: str, *, meant: bool) -> None:
    """As JSON does, as Python's str does, or by a number: clients of forms write all three."""
    assert parse(form(part("stream", written.encode()))).body == {"stream": meant}


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=XX"]
)
def test_a_form_was_expected(kind: str) -> None:
    """Another type, or a form without its boundary, is a 400 that says what is right."""
    with pytest.raises(BadRequest, match="multipart/form-data"):
        parse(form(FILE), kind)


def test_a_form_has_bounds() -> None:
    """More parts, longer fields and longer heads than are read are 413."""
    many = [part(f"f{number}", b"") for number in range(forms.MAX_PARTS + 1)]
    for body in (
        form(*many),
        form(part("prompt", b"a" * (forms.MAX_TEXT + 1))),
        form(part("p" * 5000, b"")),
    ):
        with pytest.raises(TooLarge):
            parse(body)


def test_what_must_be_there_is_named() -> None:
    """One of the names is enough."""
    found = parse(form(FILE))
    forms.need(found, "image", "file")
    with pytest.raises(BadRequest, match="prompt: it is missing"):
        forms.need(found, "prompt")


@given(st.binary(max_size=300), st.sampled_from([b"", b"--XX\r\n", FILE, part("model", b"")]))
def test_no_body_breaks_the_reading(body: bytes, begun: bytes) -> None:
    """Whatever comes, it is a form or a clear error."""
    with contextlib.suppress(BadRequest, TooLarge):
        parse(begun + body)


NAMES = st.text("abcde-_", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.text(max_size=20)), st.binary(max_size=200), st.text(max_size=9))
def test_what_a_client_sends_is_what_is_read(
    fields: dict[str, str], data: bytes, filename: str
) -> None:
    """A form written by an HTTP client comes out as it went in."""
    files: Any = {"file": (filename or "f", data, "audio/wav")}
    sent = httpx.Request("POST", "http://x", data=fields, files=files)
    found = parse(sent.read(), sent.headers["content-type"])
    assert {key: value for key, value in found.body.items() if key != "file"} == fields
    assert found.files[0].data == data
