"""The operator's keys, and what is encrypted with them: objects and lines."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.records.keyring import (
    Encrypted,
    Keyring,
    UnusableKey,
    decrypted,
    encrypted,
    lines,
)

OLD, NEW = os.urandom(32), os.urandom(16)
RING = Keyring([NEW, OLD])


def text(*keys: bytes) -> str:
    """As a variable has them."""
    return ",".join(base64.b64encode(key).decode() for key in keys)


def test_keys_come_from_a_variable_or_a_file(tmp_path: Path) -> None:
    """One or several, separated as people do; none is no encryption."""
    assert Keyring.of(("", "")) is None
    path = tmp_path / "keys"
    path.write_text(f"{text(NEW)}\n{text(OLD)}\n")
    for setting in ((text(NEW, OLD), ""), ("", str(path))):
        ring = Keyring.of(setting)
        assert ring is not None
        assert ring.first.secret == NEW
        assert decrypted(ring, "a", Keyring([OLD]).encrypt("a", b"x")) == b"x"


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (("no key!", ""), "a word that is no base64"),
        ((text(b"short"), ""), "a key of 5 bytes"),
        ((text(OLD, OLD), ""), "a key twice"),
        ((",", ""), "no key"),
        ((text(OLD), "/some/file"), "a file beside GATEWAY_ENCRYPTION_KEY"),
        (("", "/not/there"), "/not/there: No such file or directory"),
    ],
)
def test_what_is_no_key_is_told_without_it(setting: tuple[str, str], found: str) -> None:
    """The variable, what was found and what would be right; never the content."""
    with pytest.raises(UnusableKey) as caught:
        Keyring.of(setting)
    assert caught.value.found == found
    assert text(OLD) not in str(caught.value)
    with pytest.raises(SystemExit, match="GATEWAY_ENCRYPTION_KEY"):
        Keyring.for_command(setting)


def test_a_key_file_that_is_no_text(tmp_path: Path) -> None:
    """Raw bytes in the file are told as such."""
    (tmp_path / "key").write_bytes(b"\xff" * 32)
    with pytest.raises(UnusableKey, match="no text"):
        Keyring.of(("", str(tmp_path / "key")))


def test_a_key_is_in_no_repr() -> None:
    """Nor in what a log makes of it."""
    assert text(NEW) not in repr(RING.first)
    assert repr(NEW) not in repr(RING.first)


@settings(deadline=None)
@given(st.binary(), st.text(min_size=1))
def test_an_object_comes_back_where_it_was_put(data: bytes, place: str) -> None:
    """And nowhere else; it holds nothing of its text, and is never the same twice."""
    sealed = encrypted(RING, place, data)
    assert sealed != encrypted(RING, place, data)
    assert decrypted(RING, place, sealed) == data
    assert len(data) < 8 or data not in sealed.removeprefix(b"\x00encrypted ")
    with pytest.raises(Encrypted, match="is not where it was written"):
        decrypted(RING, f"{place}/other", sealed)


def test_what_is_plain_stays_plain() -> None:
    """Without keys nothing changes, and with keys what is older is read."""
    assert encrypted(None, "a", b"{}") == b"{}"
    assert decrypted(None, "a", b"{}") == decrypted(RING, "a", b"{}") == b"{}"


@pytest.mark.parametrize("position", range(0, 60, 3))
def test_a_changed_object_is_refused(position: int) -> None:
    """Whatever bit of it was changed, its text does not come out altered."""
    sealed = bytearray(RING.encrypt("a", b"a text of some length"))
    sealed[position % len(sealed)] ^= 1
    try:
        found = decrypted(RING, "a", bytes(sealed))
    except Encrypted:
        return
    assert found == bytes(sealed)  # no longer known as encrypted, and no JSON either


@pytest.mark.parametrize("ring", [None, Keyring([os.urandom(32)])], ids=["plain", "encrypted"])
def test_a_key_that_is_missing_is_named_by_its_id(ring: Keyring | None) -> None:
    """Without keys and with another one alike."""
    line = RING.lines_of("s").line(0, b"x\n")
    with pytest.raises(Encrypted, match=f"encrypted with the key {RING.first.name}"):
        decrypted(ring, "a", RING.encrypt("a", b"x"))
    with pytest.raises(Encrypted, match=f"encrypted with the key {RING.first.name}"):
        lines(ring, "s", line)


def test_lines_come_back_in_their_order() -> None:
    """Encrypted with either key, and plain ones between them."""
    data = b""
    for ring, part in ((RING, b"a\nb\n"), (None, b"plain\n"), (Keyring([OLD]), b"c\n")):
        data += part if ring is None else ring.lines_of("s").line(len(data), part)
    assert lines(RING, "s", data) == b"a\nb\nplain\nc\n"
    assert lines(RING, "s", data + b"encrypted 1234") == b"a\nb\nplain\nc\nencrypted 1234"
    assert lines(None, "s", b"plain\n") == b"plain\n"


def test_a_line_cannot_be_moved() -> None:
    """To another place of its segment, nor to another segment: then it stays encrypted."""
    cipher = RING.lines_of("s")
    first = cipher.line(0, b"first\n")
    second = cipher.line(len(first), b"other\n")
    assert lines(RING, "s", first + second) == b"first\nother\n"
    assert lines(RING, "s", second + first) == second + first
    assert lines(RING, "t", first) == first
    assert lines(RING, "s", first + first) == b"first\n" + first


@pytest.mark.parametrize(
    "damaged",
    [b"encrypted \n", b"encrypted 12345678\n", b"encrypted short AAAA\n", b"encrypted"],
)
def test_a_damaged_line_stays_as_it_is(damaged: bytes) -> None:
    """It is for nobody to read, and stops no other line."""
    name = RING.first.name.encode()
    for line in (damaged, damaged.replace(b"12345678", name + b" no base64"), damaged + b"x\n"):
        if b"12345678" not in line:
            assert lines(RING, "s", line) == line
