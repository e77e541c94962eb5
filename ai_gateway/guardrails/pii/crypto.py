"""Addresses of cryptocurrencies: Bitcoin and Ethereum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ai_gateway.guardrails.pii.hit import Hit
from ai_gateway.guardrails.pii.keccak import keccak_256
from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.nearby import Nearby
from ai_gateway.guardrails.pii.reading import Reading

_BASE58 = {
    sign: value
    for value, sign in enumerate(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}
_BECH32 = {sign: value for value, sign in enumerate(b"qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
#: The five bits that leave the checksum → what they leave behind.
_FOLDED = [0] * 32
for _at in range(32):
    for _bit, _value in enumerate(_GENERATOR):
        if _at >> _bit & 1:
            _FOLDED[_at] ^= _value
#: BIP 173 for version 0, BIP 350 for later ones.
_BECH32_CONSTANTS = {True: 1, False: 0x2BC830A3}
_PATTERN = compiled(
    r"\b(?:0[xX][0-9a-fA-F]{40}|[13][1-9A-HJ-NP-Za-km-z]{25,34}"
    r"|bc1[02-9ac-hj-np-z]{11,71}|BC1[02-9AC-HJ-NP-Z]{11,71})\b"
)
#: So many Ethereum checksums are worked out in a text (0.2 ms each); more pass by their grammar.
_MOST_HASHES = 25


class Crypto:
    """Bitcoin's base58 and bech32 addresses, and Ethereum's."""

    def find(self, reading: Reading, nearby: Nearby) -> Iterator[Hit]:  # noqa: ARG002 - certain
        """Each address whose checksum is right."""
        hashes = 0
        for match in _PATTERN.finditer(reading.data):
            start, end = match.span()
            address = reading.data[start:end]
            if address.startswith(b"0"):
                cased = address[2:] not in {address[2:].lower(), address[2:].upper()}
                hashes += cased
                right = not cased or hashes > _MOST_HASHES or is_eip55(address[2:])
                score = 0.9
            else:
                right = is_bech32(address.lower()) if address[0] in b"bB" else is_base58(address)
                score = 1.0
            if right:
                yield Hit(start, end, "crypto", score)


def is_base58(address: bytes) -> bool:
    """Base58Check: 21 bytes and the first four of their double SHA-256."""
    number = 0
    for sign in address:
        number = number * 58 + _BASE58[sign]
    if number >> 200:
        return False
    data = number.to_bytes(25, "big")
    check = hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()
    return check[:4] == data[21:]


def is_bech32(address: bytes) -> bool:
    """A segwit address of the main network in lower case (BIP 173 and 350)."""
    values = [_BECH32[sign] for sign in address[3:]]
    check = 1
    # Of "bc": the high bits, a zero, the low bits.
    for value in (3, 3, 0, 2, 3, *values):
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _FOLDED[check >> 25]
    return check == _BECH32_CONSTANTS[values[0] == 0]


def is_eip55(address: bytes) -> bool:
    """Forty hexadecimal digits whose case is that of EIP-55."""
    digest = keccak_256(address.lower()).hex()
    signs = zip(address.decode("ascii"), digest, strict=False)
    return all(sign.isdigit() or sign.isupper() == (digit in "89abcdef") for sign, digit in signs)
