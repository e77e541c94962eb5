"""What pictures and sound are asked for, and what is heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.errors import UpstreamError
from ai_gateway.formats import File, Reading, Usage, audio, images
from ai_gateway.formats.audio import SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from ai_gateway.formats.images import IMAGE_EDITS, IMAGE_VARIATIONS, IMAGES
from ai_gateway.formats.tokens import COUNT_TOKENS

FILE = File("image", "secret.png", "image/png", b"abc").described()


def test_a_file_is_described_not_held() -> None:
    """Of a file the body has its name, type, size and digest."""
    assert FILE == {
        "filename": "secret.png",
        "content_type": "image/png",
        "bytes": 3,
        "digest": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert "xyz" not in repr(File("image", "a", "b", b"xyz"))


@pytest.mark.parametrize("form", [IMAGES, IMAGE_EDITS, IMAGE_VARIATIONS])
def test_prompts_are_texts(form) -> None:
    """The prompt is read, and what a provider adds; sizes, pictures and names of models are not."""
    body = {"model": "m", "size": "1x1", "prompt": "a", "image": FILE, "image[]": [FILE]}
    more = {"negative_prompt": "b", "extra": {"n": 1, "words": ["c"]}}
    assert [text.text for text in form.texts(body | more)] == ["a", "b", "c"]


@pytest.mark.parametrize("form", [SPEECH, TRANSCRIPTIONS, TRANSLATIONS])
def test_what_is_spoken_and_prompted_is_text(form) -> None:
    """Inputs, instructions and prompts are read; voices and recordings are not."""
    body = {"model": "m", "voice": {"id": "v"}, "input": "a", "instructions": "b", "file": FILE}
    assert [text.text for text in form.texts(body)] == ["a", "b"]


def test_what_was_heard_is_read() -> None:
    """A transcription says its text, as JSON, plain or in a stream of either kind."""
    raw = {"type": "tokens", "input_tokens": 3, "output_tokens": 2}
    usage = Usage(input=3, output=2, raw=raw)
    assert TRANSCRIPTIONS.read({"text": "hi", "usage": raw}) == Reading("hi", usage=usage)
    assert TRANSLATIONS.plain(b"hi") == Reading("hi")
    reader = audio.Reader()
    reader.add({"type": "transcript.text.delta", "delta": "h"})
    reader.add({"type": "transcript.text.delta", "delta": "i"})
    assert reader.reading() == Reading("hi")
    reader.add({"type": "transcript.text.done", "text": "hi", "usage": raw})
    assert reader.reading() == Reading("hi", "stop", usage)
    reader = audio.Reader()
    reader.add({"choices": [{"delta": {"content": "hi"}}, {"delta": None}, 3]})
    reader.add({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    reader.add({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    assert (reader.reading().text, reader.reading().finish_reason) == ("hi", "stop")
    assert (reader.reading().usage.input, reader.reading().usage.output) == (1, 2)


def test_a_stream_of_pictures_ends_with_a_whole_one() -> None:
    """The last event says so, and has the usage."""
    reader = images.Reader()
    reader.add({"type": "image_generation.partial_image", "b64_json": "x"})
    assert reader.reading() == Reading()
    reader.add({"type": "image_generation.completed", "usage": {"input_tokens": 1}})
    assert (reader.reading().finish_reason, reader.reading().usage.input) == ("completed", 1)


def test_what_is_no_sound_is_an_error() -> None:
    """JSON where sound was due, and a transcription without a text."""
    with pytest.raises(UpstreamError):
        SPEECH.read({})
    with pytest.raises(UpstreamError):
        TRANSCRIPTIONS.read({"text": None})
    with pytest.raises(UpstreamError):
        COUNT_TOKENS.read({"input_tokens": "many"})


def test_bytes_say_nothing_unless_a_format_reads_them() -> None:
    """What comes as bytes from an API of JSON is no text."""
    assert SPEECH.plain(b"RIFF") == Reading()


@given(
    st.dictionaries(
        st.sampled_from(["type", "delta", "usage", "choices"]),
        st.recursive(
            st.none() | st.text(max_size=3) | st.integers(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
        ),
    )
)
def test_no_event_breaks_the_reading(chunk) -> None:
    """Whatever a stream holds, reading it is no error."""
    for reader in (audio.Reader(), images.Reader()):
        reader.add(chunk)
        reader.reading()
