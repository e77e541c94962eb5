"""Keccak-256 as Ethereum has it: SHA-3 before NIST changed its padding, so hashlib has none."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136


def _round_constants() -> list[int]:
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if state & 1:
                constant |= 1 << ((1 << power) - 1)
            state = state << 1 ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return constants


def _lanes() -> list[tuple[int, int]]:
    """Steps rho and pi: each lane but the first as (where it goes, by how much it turns)."""
    lanes, x, y = [], 1, 0
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        lanes.append((x + 5 * y, (step + 1) * (step + 2) // 2 % 64))
    return lanes


_CONSTANTS = _round_constants()
_LANES = _lanes()


def keccak_256(data: bytes) -> bytes:
    """32 bytes, of fewer than 136 bytes (the Keccak reference 3.0, rate 1088)."""
    if len(data) >= _RATE:
        raise ValueError("fewer than 136 bytes")
    block = bytearray(data.ljust(_RATE, b"\0"))
    block[len(data)] ^= 0x01
    block[-1] ^= 0x80
    lanes = [int.from_bytes(block[at : at + 8], "little") for at in range(0, _RATE, 8)]
    lanes += [0] * (25 - len(lanes))
    for constant in _CONSTANTS:
        lanes = _round(lanes, constant)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _turned(lane: int, by: int) -> int:
    return (lane << by | lane >> 64 - by) & _MASK


def _round(lanes: list[int], constant: int) -> list[int]:
    columns = [
        lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)
    ]
    mixed = [columns[x - 1] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
    lanes = [lane ^ mixed[at % 5] for at, lane in enumerate(lanes)]
    moved, carried = lanes[:], lanes[1]
    for to, by in _LANES:
        moved[to], carried = _turned(carried, by), lanes[to]
    result = [
        moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & moved[at - at % 5 + (at + 2) % 5])
        for at in range(25)
    ]
    result[0] ^= constant
    return result
