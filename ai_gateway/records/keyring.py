"""Encryption at rest: the keys, and how whole objects and lines are encrypted with them (AES-GCM).

Every object and every write-ahead segment has a key of its own, derived from the operator's by its
place (HKDF-Expand, RFC 5869), so that none can be read as another, and a random nonce is never
close to its bound. What is encrypted names its key by an id, so that old keys go on reading.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ai_gateway.records.objects import Entry, Objects, StoreUnavailable, content

if TYPE_CHECKING:
    from typing_extensions import Self

KEY, FILE = "GATEWAY_ENCRYPTION_KEY", "GATEWAY_ENCRYPTION_KEY_FILE"
_WANTED: Final = "base64 of 16, 24 or 32 random bytes, such as openssl rand -base64 32 prints"
_SIZES: Final = (16, 24, 32)
_NONCE: Final = 12  # bytes (NIST SP 800-38D)
_ID: Final = 8  # hex digits
_MARK: Final = b"encrypted "
#: What an encrypted object starts with, and no JSON or text of ours does.
_OBJECT: Final = b"\x00" + _MARK
#: A place that whoever asks for a key does not know.
A_FILE: Final = "a file"


class UnusableKey(ValueError):
    """A variable that holds no keys: what was found, and what would be right."""

    def __init__(self, variable: str, found: str, wanted: str = _WANTED) -> None:
        super().__init__(f"{variable}: found {found}, wanted {wanted}")
        self.variable, self.found, self.wanted = variable, found, wanted


class Encrypted(StoreUnavailable):
    """Something is encrypted and cannot be read here: another key wrote it, or it was changed."""

    def of(self, path: str) -> Encrypted:
        """The same of the file at ``path``, whose name was not known where it was raised."""
        return Encrypted(str(self.strerror).replace(A_FILE, path, 1))


@dataclass(frozen=True, slots=True)
class Key:
    """One of the operator's keys, and the public id that it is found by."""

    secret: bytes = field(repr=False)
    name: str

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """The key of 16, 24 or 32 bytes."""
        return cls(secret, _expand(secret, b"id")[: _ID // 2].hex())

    def derived(self, purpose: str) -> bytes:
        """A key of the same length, for one purpose alone."""
        return _expand(self.secret, purpose.encode())[: len(self.secret)]


def _expand(secret: bytes, info: bytes) -> bytes:
    """The first block of HKDF-Expand with SHA-256."""
    return hmac.digest(secret, b"ai-gateway " + info + b"\x01", "sha256")


class Keyring:
    """The first key encrypts, every one decrypts. Any thread may use it."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        keys = [Key.of(secret) for secret in secrets]
        #: What is written now is written with this one.
        self.first = keys[0]
        self._keys: Mapping[str, Key] = {key.name: key for key in keys}

    @classmethod
    def of(cls, setting: tuple[str, str]) -> Keyring | None:
        """The keys of ``(keys, file)``, as the two variables have them; None without any.

        Several are separated by spaces, lines or commas, the one that writes first. Raises
        UnusableKey, which shows nothing of a key.
        """
        text, path = setting
        if not text and not path:
            return None
        if text and path:
            raise UnusableKey(FILE, f"a file beside {KEY}", "one of the two")
        variable = FILE if path else KEY
        words = (_read(path) if path else text).replace(",", " ").split()
        if not words:
            raise UnusableKey(variable, "no key")
        secrets = [_decoded(variable, word) for word in words]
        if len(set(secrets)) < len(secrets):
            raise UnusableKey(variable, "a key twice", "each key once, the one that writes first")
        return cls(secrets)

    @classmethod
    def for_command(cls, setting: tuple[str, str]) -> Keyring | None:
        """As ``of``, for a command, which ends with one line where there is something wrong."""
        try:
            return cls.of(setting)
        except UnusableKey as problem:
            sys.exit(str(problem))

    def key(self, name: str, place: str) -> Key:
        """The key of that id; raises Encrypted."""
        found = self._keys.get(name)
        if found is None:
            raise Encrypted(_missing(place, name))
        return found

    def encrypt(self, place: str, data: bytes) -> bytes:
        """``data`` as the object at ``place``, which alone it can be decrypted as."""
        cipher = _cipher(self.first, f"object {place}")
        nonce = os.urandom(_NONCE)
        name = self.first.name.encode()
        found: bytes = cipher.encrypt(nonce, data, None)
        return _OBJECT + name + b" " + nonce + found

    def lines_of(self, segment: str) -> LineCipher:
        """Encrypts what is appended to the write-ahead segment of that name."""
        return LineCipher(self.first.name.encode(), _cipher(self.first, f"segment {segment}"))


class LineCipher:
    """Encrypts the lines of one segment; where a line begins is bound to it."""

    __slots__ = ("_cipher", "_name")

    def __init__(self, name: bytes, cipher: Any) -> None:
        self._name = name
        self._cipher = cipher

    def line(self, offset: int, data: bytes) -> bytes:
        """``data``, whole lines, as one line that begins at the segment's byte ``offset``."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, data, b"%d" % offset)
        return b"%b%b %b\n" % (_MARK, self._name, binascii.b2a_base64(sealed, newline=False))


def decrypted(keyring: Keyring | None, place: str, data: bytes) -> bytes:
    """The object at ``place`` in the clear, as it is if it is not encrypted; raises Encrypted."""
    if not data.startswith(_OBJECT):
        return data
    name, _, sealed = data[len(_OBJECT) :].partition(b" ")
    key = _key(keyring, name, place)
    plain = _plain(_cipher(key, f"object {place}"), sealed, None)
    if plain is None:
        raise Encrypted(f"{place} was changed, or is not where it was written")
    return plain


def lines(keyring: Keyring | None, segment: str, data: bytes, start: int = 0) -> bytes:
    """A segment's bytes from ``start`` on, where a line begins, with its lines in the clear.

    Raises Encrypted where a key is missing. What is damaged, or is not where it was written, stays
    as it is: no table takes it.
    """
    if not data.startswith(_MARK) and b"\n" + _MARK not in data:
        return data
    found: list[bytes] = []
    ciphers: dict[bytes, Any] = {}
    offset = start
    *whole, tail = data.split(b"\n")
    for line in whole:
        found.append(_line(keyring, segment, line, offset, ciphers))
        offset += len(line) + 1
    return b"".join([*found, tail])


def _line(
    keyring: Keyring | None, segment: str, line: bytes, offset: int, ciphers: dict[bytes, Any]
) -> bytes:
    """One line, which has lost its newline, with it; or the lines that it holds."""
    damaged = line + b"\n"
    name, _, text = line[len(_MARK) :].partition(b" ")
    if not line.startswith(_MARK) or len(name) != _ID:
        return damaged
    if name not in ciphers:
        ciphers[name] = _cipher(_key(keyring, name, segment), f"segment {segment}")
    try:
        sealed = base64.b64decode(text, validate=True)
    except binascii.Error:
        return damaged
    plain = _plain(ciphers[name], sealed, b"%d" % offset)
    return damaged if plain is None else plain


def read(objects: Objects, entry: Entry) -> bytes:
    """A whole object, decrypted; FileNotFoundError where it is gone; raises StoreUnavailable."""
    return decrypted(objects.keyring, entry.path, content(objects, entry))


def write(objects: Objects, path: str, data: bytes) -> None:
    """Write a whole object, encrypted where there are keys; raises StoreUnavailable."""
    objects.put(path, encrypted(objects.keyring, path, data))


def encrypted(keyring: Keyring | None, place: str, data: bytes) -> bytes:
    """``data`` as the object at ``place``: encrypted where there are keys."""
    return data if keyring is None else keyring.encrypt(place, data)


def _key(keyring: Keyring | None, name: bytes, place: str) -> Key:
    text = name.decode("ascii", "replace")
    if keyring is None:
        raise Encrypted(_missing(place, text))
    return keyring.key(text, place)


def _missing(place: str, name: str) -> str:
    return f"{place} is encrypted with the key {name[:_ID]}, which {KEY} does not hold"


def _cipher(key: Key, purpose: str) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key.derived(purpose))


def _plain(cipher: Any, data: bytes, place: bytes | None) -> bytes | None:
    """None for what was changed."""
    from cryptography.exceptions import InvalidTag

    try:
        plain: bytes = cipher.decrypt(data[:_NONCE], data[_NONCE:], place)
    except (InvalidTag, ValueError):
        return None
    return plain


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except OSError as error:
        raise UnusableKey(FILE, f"{path}: {error.strerror}", f"a file with {_WANTED}") from None
    except UnicodeDecodeError:
        raise UnusableKey(FILE, f"{path}: no text", f"a file with {_WANTED}") from None


def _decoded(variable: str, word: str) -> bytes:
    try:
        secret = base64.b64decode(word, validate=True)
    except ValueError:
        raise UnusableKey(variable, "a word that is no base64") from None
    if len(secret) not in _SIZES:
        raise UnusableKey(variable, f"a key of {len(secret)} bytes")
    return secret
