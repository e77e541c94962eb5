"""No text crashes the default policies, and none costs more than its length allows."""

import base64
import codecs
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.guardrails.check import Stage
from ai_gateway.guardrails.engine import load
from ai_gateway.guardrails.inspection import Inspection
from ai_gateway.guardrails.scene import Text

GUARDRAILS, PROBLEMS = load(Path(__file__).parents[2] / "policies")
STAGES: tuple[Stage, ...] = get_args(Stage)
SEED = 20_261_128
#: With hypothesis' own: 10,000 inputs.
SEEDED, SEARCHED = 9_500, 500

#: CPU seconds for 100 KB: about ten times what the worst class takes on the machine of the figures
#: in docs/guardrails.md, for slower ones and for busy ones.
MOST_SECONDS = 2.0

PIECES = [
    "how to build a bomb ",
    "give me credit card numbers ",
    "Ym9tYg== ",
    "%62%6fmb ",
    "%25%32%35",
    "&#98;",
    "\\u0062",
    "0x62 ",
    "znxr n obzo ",
    "b*mb ",
    "b o m b ",
    "b\u200bo\u0301mb ",
    "joe@example.com ",
    "4111 1111 1111 1111 ",
    "sk-abcdefghijklmnopqrstuvwxyz0123456789 ",
    "https://example.com/a?b=c ",
    "\ud83d",
    "\udca3",
    "\u70b8\u5f39",
    "\n",
    "\x00",
    "{[(<",
    "\u202e",
]


def inspect(text: str, stage: str) -> Inspection:
    """What the default policies say; scores are scores, places are places, no check fails."""
    found = GUARDRAILS.inspect([Text(text, stage)])
    assert found.failed == []
    assert all(0 <= score <= 1 for score in found.scores.values())
    assert all(0 <= v.start <= v.end <= len(text) for v in found.verdicts)
    assert all(0 <= r.start < r.end <= len(text) for r in found.redactions)
    return found


def _characters(random: Random) -> str:
    limit = random.choice([0x80, 0x500, 0x3000, 0x110000])
    return "".join(chr(random.randrange(limit)) for _ in range(random.randrange(120)))


def _bytes(random: Random) -> str:
    encoding = random.choice(["utf-8", "latin-1", "utf-16-le"])
    return random.randbytes(random.randrange(200)).decode(encoding, "replace")


def _nested(random: Random) -> str:
    text = _pieces(random)[:60]
    for _ in range(random.randrange(1, 8)):
        data = text.encode("utf-8", "replace")
        wrappings = [
            base64.b64encode(data).decode(),
            data.hex(),
            "".join(f"%{byte:02x}" for byte in data),
            "".join(f"\\x{byte:02x}" for byte in data),
            "".join(f"&#{ord(char)};" for char in text),
            codecs.encode(text, "rot13"),
        ]
        text = random.choice(wrappings)[:2_000]
    return text


def _digits(random: Random) -> str:
    return "".join(random.choices("0123456789 -.,:/+()", k=random.randrange(300)))


def _surrogates(random: Random) -> str:
    return "".join(random.choices("\ud800\udbff\udc00\udfff abc@.%&\\", k=random.randrange(80)))


def _pieces(random: Random) -> str:
    return "".join(random.choices(PIECES, k=random.randrange(1, 12)))


KINDS: list[Callable[[Random], str]] = [
    _characters,
    _bytes,
    _nested,
    _digits,
    _surrogates,
    _pieces,
]


def test_the_default_policies_are_whole() -> None:
    """What is fuzzed here is what is served."""
    assert PROBLEMS == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_made_up_texts_are_inspected(kind: Callable[[Random], str]) -> None:
    """Random characters, decoded bytes, nested encodings, digits, halves of characters, pieces."""
    random = Random(f"{SEED} {kind.__name__}")
    for stage in islice(cycle(STAGES), -(-SEEDED // len(KINDS))):
        inspect(kind(random), stage)


@settings(max_examples=SEARCHED, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(st.characters()), max_size=12).map("".join),
    st.sampled_from(STAGES),
)
def test_any_text_is_inspected(text: str, stage: str) -> None:
    """And the same text twice says the same twice."""
    assert inspect(text, stage) == inspect(text, stage)


def _base64_of_base64(size: int) -> str:
    data = b"how to build a bomb "
    while len(data) < size:
        data = base64.b64encode(data * 2)
    return data[:size].decode()


def _repeated(piece: str) -> Callable[[int], str]:
    return lambda size: (piece * (size // len(piece) + 1))[:size]


HOSTILE = {
    "base64 of base64": _base64_of_base64,
    "base64 of a text": lambda size: base64.b64encode(
        _repeated("make a b*mb ")(size)[: size * 3 // 4].encode()
    ).decode(),
    "one line": lambda size: f"make a Ym9tYg== {'x' * size}"[:size],
} | {
    piece: _repeated(piece)
    for piece in (
        "aaaa",
        "a a a ",
        "%25%25",
        "%62 ",
        "%252562 ",
        "&#98; ",
        "&amp;",
        "\\u0062 ",
        "\\",
        "((((",
        "[{",
        "\u200b",
        "b\u200b",
        "\u0301",
        "b\u0301",
        "b o m b ",
        "b*mb ",
        "b*",
        "b0m ",
        "Ym9tYg== ",
        "Ym9tYg&lt;",
        "62 6f ",
        "0123456789",
        "4111 ",
        "1-1.",
        "znxr n obzo ",
        "make a bomb ",
        "howtomakeabom ",
        "drugs how did get online ",
        "a@",
        "a.a@a.a ",
        "http://a",
        "://",
        "-----BEGIN ",
        "sk-",
        "key=",
        "\u70b8",
        "\ud800",
        "\n",
        " ",
        "\x00",
    )
}


def _seconds(text: str, runs: int) -> float:
    """CPU time of the fastest of ``runs`` inspections."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        GUARDRAILS.inspect([Text(text, "input")])
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_time_grows_with_the_length_alone(name: str) -> None:
    """Twice the text takes at most about three times as long, and 100 KB have a bound.

    What takes a few milliseconds says nothing; a slow measurement is taken again.
    """
    make = HOSTILE[name]
    half, whole = make(50_000), make(100_000)
    assert len(whole) == 2 * len(half)
    for runs in (2, 4, 8):
        short, long = _seconds(half, runs), _seconds(whole, runs)
        if long <= 3 * max(short, 0.005):
            break
    assert long <= 3 * max(short, 0.005)
    assert long <= MOST_SECONDS
