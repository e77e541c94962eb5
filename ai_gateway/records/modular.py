"""Parquet modular encryption: each file has a key of its own, wrapped with the operator's.

The wrapped key stands in the file's footer under the id of the key that wrapped it. Footer and
columns are encrypted alike (AES_GCM_V1), so that neither names nor statistics can be read.
"""

from __future__ import annotations

import base64
import functools
import os
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ai_gateway.records.keyring import A_FILE, Keyring

_NONCE: Final = 12  # bytes
_PURPOSE: Final = "parquet"
_KMS: Final = pe.KmsConnectionConfig()


class _Wrapping(pe.KmsClient):  # type: ignore[misc] # pyarrow has no types
    """What Parquet calls a key management service: the keyring, in this process."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__()
        self._keyring = keyring

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """A file's key, encrypted."""
        nonce, name = os.urandom(_NONCE), master_key_identifier
        cipher = AESGCM(self._keyring.key(name, A_FILE).derived(_PURPOSE))
        return base64.b64encode(nonce + cipher.encrypt(nonce, key_bytes, name.encode())).decode()

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """A file's key; see ``Keyring.key``; raises ArrowInvalid for one that was changed."""
        name = master_key_identifier
        cipher = AESGCM(self._keyring.key(name, A_FILE).derived(_PURPOSE))
        try:
            data = base64.b64decode(wrapped_key, validate=True)
            return cipher.decrypt(data[:_NONCE], data[_NONCE:], name.encode())
        except (InvalidTag, ValueError):
            raise pa.ArrowInvalid("a file's own key was changed") from None


@functools.lru_cache(maxsize=8)
def _factory(keyring: Keyring) -> Any:
    return pe.CryptoFactory(lambda _config: _Wrapping(keyring))


def writing(keyring: Keyring) -> Any:
    """What a ParquetWriter takes as ``encryption_properties``; of one file alone."""
    configuration = pe.EncryptionConfiguration(
        footer_key=keyring.first.name,
        uniform_encryption=True,
        encryption_algorithm="AES_GCM_V1",
        double_wrapping=False,
        data_key_length_bits=len(keyring.first.secret) * 8,
    )
    return _factory(keyring).file_encryption_properties(_KMS, configuration)


def reading(keyring: Keyring) -> Any:
    """What a ParquetFile takes as ``decryption_properties``; files may be plain all the same."""
    return _factory(keyring).file_decryption_properties(_KMS)
