"""Placeholders stand for what was redacted, one way in and the same way back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.answer.vault import Vault, kind_of, masked, merged
from ai_gateway.guardrails.inspection import Redaction


def found(text: str, *words: str, kind: str = "name") -> list[Redaction]:
    """Where ``words`` first stand in ``text``."""
    return [Redaction(text, text.index(w), text.index(w) + len(w), kind) for w in words]


def test_places_that_overlap_are_one() -> None:
    """Called after what begins first, the longer of two that begin together."""
    places = [("a", 5, 9), ("b", 0, 6), ("c", 5, 7), ("d", 20, 22), ("e", 0, 2)]
    redactions = [Redaction("x" * 30, start, end, kind) for kind, start, end in places]
    assert merged(redactions) == [(0, 9, "B"), (20, 22, "D")]
    assert masked("x" * 30, redactions) == f"[B]{'x' * 11}[D]{'x' * 8}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("email", "EMAIL"),
        ("code-name.2", "CODE_NAME_2"),
        ("2x", "X_2X"),
        ("a" * 64, "A" * 32),
    ],
)
def test_a_kind_is_a_name_in_capitals(name, kind) -> None:
    """Whatever a check or a rule is called."""
    assert kind_of(name) == kind


def test_the_same_words_have_the_same_placeholder() -> None:
    """So that a model can tell who is who."""
    vault = Vault()
    text = "Ada met Bob, and Bob met Ada."
    hidden = vault.hide({"role": "user", "content": text}, found(text, "Ada", "Bob"))
    assert hidden["content"] == "[NAME_1] met [NAME_2], and Bob met Ada."
    assert vault.hide("only Ada", []) == "only [NAME_1]"
    assert vault.restore(hidden) == {"role": "user", "content": text}


def test_protocol_words_are_left_alone() -> None:
    """A name that is also a role, a model or an id changes no message's kind."""
    vault = Vault()
    hidden = vault.hide({"role": "user", "id": "user", "content": "user"}, found("a user", "user"))
    assert hidden == {"role": "user", "id": "user", "content": "[NAME_1]"}


def test_arguments_stay_json() -> None:
    """What is put back into a tool's arguments is escaped as it must be there."""
    name = 'O"Hara \\ Söhne\n'
    vault = Vault()
    text = f"Ask {name}"
    vault.hide(text, found(text, name))
    call = {"function": {"arguments": '{"who": "[NAME_1]"}'}}
    restored = vault.restore(call)
    assert json.loads(restored["function"]["arguments"]) == {"who": name}
    assert vault.restore({"input": {"who": "[NAME_1]"}})["input"] == {"who": name}


def test_names_of_a_tools_input_are_its_own() -> None:
    """An ``id`` there is no id of the API's, and ``arguments`` are a text like any other."""
    vault = Vault()
    name = 'Ada "A"'
    vault.hide(name, found(name, name))
    put = {"id": name, "deep": [{"role": name}], "arguments": name}
    hidden = vault.hide({"id": name, "input": put}, [])
    replaced = {"id": "[NAME_1]", "deep": [{"role": "[NAME_1]"}], "arguments": "[NAME_1]"}
    assert hidden == {"id": name, "input": replaced}
    assert vault.restore(hidden) == {"id": name, "input": put}
    items = [{"role": name, "content": name}]
    assert vault.hide({"input": items}, [])["input"] == [{"role": name, "content": "[NAME_1]"}]


def test_names_of_properties_come_back() -> None:
    """A model may call them as it was told."""
    vault = Vault()
    vault.put("Ada", "NAME")
    assert vault.restore({"input": {"[NAME_1]": 1}}) == {"input": {"Ada": 1}}


def test_encoded_bytes_are_left_alone() -> None:
    """Three letters stand in any picture by chance."""
    vault = Vault()
    vault.put("Ada", "NAME")
    picture = f"data:image/png;base64,{'iVBOR/Ada+' * 20}=="
    assert vault.hide([picture, "iVBOR/Ada+" * 20, "of Ada"], []) == [
        picture,
        "iVBOR/Ada+" * 20,
        "of [NAME_1]",
    ]


def test_sealed_bytes_are_left_alone_and_what_stands_before_them_is_not() -> None:
    """A signature holds any three letters by chance; its kind and id hold nothing."""
    text, signature = "I am Ada.", "xAda/" * 20
    sealed = {"data": f"google.thought_signature;call_Ada;{signature}", "text": text}
    hidden = Vault().hide(sealed, found(text, "Ada"))
    assert hidden["data"] == f"google.thought_signature;call_[NAME_1];{signature}"


def test_lines_and_events_stay_json() -> None:
    """As a proxied target may answer: what is put back is escaped there as well."""
    vault = Vault()
    vault.put('A "B"\n', "NAME")
    body = b'{"a":"[NAME_1]"}\n\ndata: {"a":"[NAME_1]"}\n[NAME_1] {no json}'
    first, _, event, *rest = vault.restored_bytes(body).decode().split("\n")
    assert json.loads(first) == json.loads(event.removeprefix("data: ")) == {"a": 'A "B"\n'}
    assert rest == ['A "B"', " {no json}"]


def test_a_body_without_placeholders_is_the_same_bytes() -> None:
    """Numbers that no double holds, keys that stand twice, and spaces."""
    vault = Vault()
    vault.put("Ada", "NAME")
    body = b'{"a":  12345678901234567890123, "a": "[NAME_2]"}'
    assert vault.restored_bytes(body) == body


def test_bodies_that_are_no_json_are_one_text() -> None:
    """As a proxied target may take and give them, in any encoding."""
    vault = Vault()
    text = "Ada \udcff"
    body = text.encode("utf-8", "surrogateescape")
    hidden = vault.hidden_bytes(body, [Redaction(text, 0, 3, "name")])
    assert hidden == b"[NAME_1] \xff"
    assert vault.restored_bytes(hidden) == body


def test_without_numbers_nothing_comes_back_apart() -> None:
    """An answer is masked for good."""
    vault = Vault(numbered=False)
    assert vault.hide("Ada and Bob", found("Ada and Bob", "Ada", "Bob")) == "[NAME] and [NAME]"


@given(st.text("ab[]_1NAME ", max_size=60), st.data())
def test_what_was_hidden_is_what_comes_back(text, data) -> None:
    """Whatever stands in the text, placeholders of its own too."""
    vault = Vault([text])
    places = data.draw(
        st.lists(st.tuples(st.integers(0, len(text)), st.integers(1, 10)), max_size=4)
    )
    redactions = [
        Redaction(text, start, min(start + size, len(text)), "name")
        for start, size in places
        if start < len(text)
    ]
    hidden = vault.hide(text, redactions)
    assert vault.restored(hidden, escaped=False) == text
    assert vault.stripped(hidden).count(" ") >= text.count(" ") - sum(
        text[r.start : r.end].count(" ") for r in redactions
    )
