"""No half of a character gets past the gateway, and none of a whole one is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.upstream.halves import Halves, replaced

TEXTS = st.text(st.sampled_from('a"\\u\n\U0001f600\U0001f601é'))


def units(text: str) -> list[str]:
    """``text`` in units of UTF-16, as JavaScript counts."""
    data = text.encode("utf-16-be")
    return [data[at : at + 2].decode("utf-16-be", "surrogatepass") for at in range(0, len(data), 2)]


@given(TEXTS)
def test_a_stream_that_is_cut_anywhere_is_put_together(text: str) -> None:
    """However a server cuts its text, its pieces together are the text."""
    halves = Halves()
    pieces = [json.loads(halves.joined(json.dumps({"text": unit}))) for unit in units(text)]
    assert "".join(piece["text"] for piece in pieces) == text


@given(TEXTS)
def test_what_is_whole_stays(text: str) -> None:
    """JSON without halves is the same afterwards, escaped backslashes and quotes in it too."""
    written = json.dumps([text, {text: text}])
    assert replaced(written) == Halves().joined(written) == written


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        (r'"a\ud83d"', r'"a\ufffd"'),
        (r'"\uDE00a"', r'"\ufffda"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\ud83d"', r'"\\ud83d"'),
        (r'"\\\ud83d"', r'"\\\ufffd"'),
        (r'"\ud83d\n\ude00"', r'"\ufffd\n\ufffd"'),
    ],
)
def test_half_a_character_is_replaced(written: str, becomes: str) -> None:
    """Where nothing more will come, each half is shown as what cannot be shown."""
    assert replaced(written) == becomes


def test_halves_of_several_strings_find_their_own() -> None:
    """A text and what is counted beside it are cut in the same places."""
    halves = Halves()
    assert halves.joined(r'["a\ud83d", "\ud83c"]') == '["a", ""]'
    assert halves.joined('["", ""]') == '["", ""]'
    assert halves.joined(r'["\ude00\ud83d", "\udf89"]') == r'["\ud83d\ude00", "\ud83c\udf89"]'
    assert halves.joined(r'["\"\ude01", "\ude02"]') == r'["\"\ufffd", "\ud83d\ude02"]'
    assert halves.joined(r'["\ude03"]') == r'["\ufffd"]'
