"""What an answer is as bytes."""

from dataclasses import replace

from ai_gateway.answer.call import Answer


def test_an_answer_is_written_once() -> None:
    """Its digest and its caller have the same bytes, which are those of JSON or its own."""
    answer = Answer("m", body={"a": 1})
    assert answer.data() == b'{"a":1}'
    assert answer.data() is answer.data()
    assert Answer("m", body=b"\x00").data() == b"\x00"


def test_a_changed_copy_is_written_anew() -> None:
    """What is put in the place of a body leaves, not what was written of the one before."""
    answer = Answer("m", body={"a": "secret"})
    assert answer.data() == b'{"a":"secret"}'
    assert replace(answer, body={"a": "[KIND]"}).data() == b'{"a":"[KIND]"}'
