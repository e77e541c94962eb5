"""Addresses of cryptocurrencies."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_gateway.guardrails.pii.keccak import keccak_256
from tests.guardrails.pii.finder import findings, found

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def base58check(payload: bytes) -> str:
    """As Bitcoin writes 21 bytes."""
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, written = int.from_bytes(data, "big"), ""
    while number:
        number, value = divmod(number, 58)
        written = BASE58[value] + written
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + written


def polymod(values: list[int]) -> int:
    """BIP 173's checksum, as the proposal has it."""
    generator = [0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit in range(5):
            check ^= generator[bit] if top >> bit & 1 else 0
    return check


def bech32(version: int, program: list[int]) -> str:
    """A segwit address of 5-bit values, by BIP 173 for version 0 and BIP 350 for others."""
    values = [version, *program]
    constant = 0x2BC830A3 if version else 1
    check = polymod([3, 3, 0, 2, 3, *values, 0, 0, 0, 0, 0, 0]) ^ constant
    values += [check >> 5 * (5 - at) & 31 for at in range(6)]
    return "bc1" + "".join(BECH32[value] for value in values)


def changed(address: str, at: int, alphabet: str) -> str:
    """One character of it replaced by the next of the alphabet."""
    other = alphabet[(alphabet.index(address[at]) + 1) % len(alphabet)]
    return address[:at] + other + address[at + 1 :]


@example(0, b"\ng" + bytes(18), 1)  # its second sign is the x of Ethereum's
@given(st.sampled_from((0, 5)), st.binary(min_size=20, max_size=20), st.integers(1, 24))
def test_base58_addresses(version: int, hashed: bytes, at: int) -> None:
    """Paying to a key or a script; with one character changed it is no address."""
    address = base58check(bytes([version]) + hashed)
    if len(address) < 26:  # a hash of zeros; no one has it
        return
    assert found(f"send to {address}!", "crypto") == [("crypto", address)]
    assert found(f"send to {changed(address, at, BASE58)}!", "crypto") == []


@given(
    st.integers(0, 16), st.lists(st.integers(0, 31), min_size=32, max_size=52), st.integers(3, 30)
)
def test_bech32_addresses(version: int, program: list[int], at: int) -> None:
    """Of any version, in small or in capital letters."""
    address = bech32(version, program)
    for written in (address, address.upper()):
        assert found(f"send to {written}!", "crypto") == [("crypto", written)]
    assert found(f"send to {changed(address, at, BECH32)}!", "crypto") == []


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
)
def test_the_addresses_of_eip_55(address: str) -> None:
    """In one case any is an address; in mixed case one letter of the other case makes it none."""
    assert found(f"to {address}.", "crypto") == [("crypto", address)]
    at = next(at for at, sign in enumerate(address) if at > 1 and sign.isalpha())
    other = address[:at] + address[at].swapcase() + address[at + 1 :]
    assert found(f"to {other}.", "crypto") == []
    assert found(f"to {address.lower()}.", "crypto") == [("crypto", address.lower())]


def test_what_is_too_large_for_an_address_is_none() -> None:
    """Thirty-five signs of base58 may say more than 25 bytes hold."""
    assert found("3" + "z" * 34, "crypto") == []


def test_beyond_a_number_of_hashes_the_grammar_decides() -> None:
    """So that a text of nothing but addresses costs little, and none of them passes."""
    wrong = "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed "
    assert findings(wrong * 25, "crypto") == []
    assert len(findings(wrong * 26, "crypto")) == 1


def test_keccak_has_the_published_digests() -> None:
    """Of the empty text and of "abc"; longer texts than an address are refused."""
    assert keccak_256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )
    assert keccak_256(b"abc").hex() == (
        "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
    )
    with pytest.raises(ValueError, match="136"):
        keccak_256(bytes(136))
