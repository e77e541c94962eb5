"""Edits change an entry's own lines, and nothing else."""

import difflib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_gateway.control import writing
from ai_gateway.control.splice import Uneditable, append, plain, put, remove
from ai_gateway.manifest import document
from tests.conftest import ROOT

DEFAULT = (ROOT / "routes.yaml").read_text()
NEW = {"path": "/predict", "target": "http://ai-service:8080", "methods": ["POST"]}

#: Everything that a person may do to a manifest and should find again.
STRANGE = """# a heading
version: 1   # spaced


routes:   # ours
    # first
    - path: /a      # its path
      auth:         # a block of it
        - api-key
        # kept: platform
        - platform
      methods:
      - GET

    # second, on one line
    -   {path: /b, 'auth': [api-key , platform ], "rateLimit": 5/s, }   # with a comma

    - auth: none
      path: /ü
      x: |
        lines

        of text


# a tail
allowed_hosts: [a]
"""
COMMENTS = ["", "# a note\n", "\n", "  # indented\n\n"]


def changed(old, new):
    """The lines that one has and the other has not."""
    found = difflib.ndiff(old.split("\n"), new.split("\n"))
    return [line for line in found if line[0] in "+-"]


def test_an_entry_that_is_appended_adds_its_lines_only() -> None:
    """In the layout of the section; the rest of the shipped bundle is as it was."""
    new = append(DEFAULT, "routes", NEW)
    assert changed(DEFAULT, new) == [
        "+   - path: /predict",
        "+     target: http://ai-service:8080",
        "+     methods: [POST]",
    ]
    assert remove(new, "routes", len(plain(new)["routes"]) - 1) == DEFAULT


def test_every_entry_of_the_shipped_bundle_can_be_removed() -> None:
    """As many lines are taken away as it has, and no comment."""
    notes = DEFAULT.count("\n\n"), DEFAULT.count("#")
    for index, entry in enumerate(plain(DEFAULT)["routes"]):
        new = remove(DEFAULT, "routes", index)
        assert {line[0] for line in changed(DEFAULT, new)} == {"-"}
        assert entry not in plain(new)["routes"]
        assert (new.count("\n\n"), new.count("#")) >= (notes[0], notes[1] - 1)


def test_a_section_that_is_not_there_is_made_and_goes_again() -> None:
    """Behind everything else; undone, the same bytes are there."""
    new = append(DEFAULT, "security", {"endpoint": "/ping", "auth": ["api-key"]})
    assert changed(DEFAULT, new)[0] == "+ security:"
    assert remove(new, "security", 0) == DEFAULT


def test_a_comment_behind_a_section_stays_when_its_last_entry_goes() -> None:
    """The section is an empty list then, and takes an entry again."""
    text = "security: # who may\n  # note\n  - endpoint: /a\n    auth: none\nversion: 1\n"
    empty = remove(text, "security", 0)
    assert empty == "security: [] # who may\n  # note\nversion: 1\n"
    again = append(empty, "security", {"endpoint": "/a", "auth": "none"})
    assert again == "security: # who may\n  - endpoint: /a\n    auth: none\n  # note\nversion: 1\n"


@pytest.mark.parametrize(
    ("index", "key", "value", "lines"),
    [
        (0, "rateLimit", 100, ["+       rateLimit: 100"]),
        (1, "timeout", "5s", None),
        (1, "rateLimit", "10/min", None),
        (2, "auth", ["jwt"], ["-     - auth: none", "+     - auth: [jwt]"]),
        (2, "rateLimit", 1, ["+       rateLimit: 1"]),
    ],
)
def test_a_key_of_an_entry_is_put(index, key, value, lines) -> None:
    """On a line of its own, or inside the braces of an entry that has them."""
    new = put(STRANGE, "routes", index, key, value)
    assert plain(new)["routes"][index][key] == value
    assert changed(STRANGE, new) == lines if lines else len(changed(STRANGE, new)) == 2


def test_a_block_behind_a_key_is_replaced_whole() -> None:
    """A list with a line for each value becomes one line; what stands before and behind stays."""
    new = put(STRANGE, "routes", 0, "auth", ["api-key"])
    assert "      auth: [api-key]\n      methods:\n      - GET\n" in new
    assert put(new, "routes", 0, "methods", ["GET"]).count("- GET") == 0


@pytest.mark.parametrize(
    ("index", "key"), [(0, "auth"), (0, "path"), (1, "path"), (1, "auth"), (1, "rateLimit")]
)
def test_a_key_of_an_entry_is_taken_out(index, key) -> None:
    """The first one too, whose place the next one takes."""
    new = put(STRANGE, "routes", index, key, None)
    assert key not in plain(new)["routes"][index]
    assert put(new, "routes", index, key, None) == new


@pytest.mark.parametrize("value", [100, "100/min", ["api-key", "jwt"], "none"])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_key_that_is_put_and_taken_out_leaves_the_same_bytes(index, value) -> None:
    """Whatever the entry's layout."""
    new = put(STRANGE, "routes", index, "privacy", value)
    assert put(new, "routes", index, "privacy", None) == STRANGE


def test_the_only_key_of_an_entry_cannot_be_taken_out() -> None:
    """The entry has to go instead."""
    with pytest.raises(Uneditable, match="empty without a"):
        put("routes:\n  - a: 1\n", "routes", 0, "a", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("routes: [{path: /a}]\n", "a line for each entry"),
        ("{routes: [{path: /a}]}\n", "in braces"),
        ("routes:\n  -\n    path: /a\n", "line of its dash"),
        ("routes:\n  - &a {path: /a}\nother: *a\n", "line of its dash|not read"),
        ("version: 1\n", "no routes"),
        ("\ufeffroutes:\n  - path: /a\n", "byte order mark"),
        ("routes:\n  - path: /a\n    path: /b\n", "a second time"),
        ("- a\n", "no mapping"),
        ("routes:\n  - path: [\n", "no YAML"),
    ],
)
def test_a_form_that_only_a_person_should_edit_is_refused(text, message) -> None:
    """With what it is, and without an exception of another kind."""
    with pytest.raises(Uneditable, match=message):
        remove(text, "routes", 0)


def test_an_edit_that_would_say_something_else_is_refused() -> None:
    """An alias stands elsewhere than it counts: the edit at its anchor would change both."""
    text = "routes:\n  - {path: /a, auth: &x [none]}\n  - {path: /b, auth: *x}\n"
    with pytest.raises(Uneditable, match="undefined alias"):
        put(text, "routes", 1, "auth", ["jwt"])
    with pytest.raises(Uneditable, match="by hand"):
        append("routes:\n  - path: |+\n      /a\n\n\nversion: 1\n", "routes", NEW)
    with pytest.raises(Uneditable, match="a line for each entry"):
        append("routes: {a: 1}\n", "routes", NEW)


def test_line_ends_stay_what_they_are() -> None:
    """Of Windows too, and where the last line has none."""
    text = "routes:\r\n  - path: /a\r\n    auth: none"
    new = append(text, "routes", {"path": "/b", "auth": "none"})
    assert new == text + "\r\n  - path: /b\r\n    auth: none"
    assert remove(new, "routes", 1) == text
    assert remove(new, "routes", 0) == "routes:\r\n  - path: /b\r\n    auth: none"
    bare = "routes:\n  - path: /a"
    assert remove(append(bare, "routes", NEW), "routes", 1) == bare


scalars = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["on", "1.5e3", "012", "0x1F", "1:30", "~", "", "<<", "=", "a: b", "#c", "1_0"]
    ),
    st.integers(-(10**17), 10**17),
    st.booleans(),
    st.none(),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
entries = st.dictionaries(
    st.text("abcdefghijklmnop", min_size=1, max_size=8), values, min_size=1, max_size=4
)


@settings(deadline=None)  # the machine is busy at times
@given(entries)
def test_what_is_written_reads_back_as_it_was(entry) -> None:
    """By our reader and by YAML 1.1's, as a block and on one line."""
    for text in ("\n".join(writing.block(entry)), writing.inline(entry)):
        assert document.read(text).value == entry
        assert yaml.safe_load(text) == entry


@st.composite
def manifests(draw):
    """Manifests as people write them."""
    note = st.sampled_from(COMMENTS)
    text = draw(note) + "version: 1\n" + draw(note) + "routes:\n"
    column = draw(st.integers(0, 4))
    for number, entry in enumerate(draw(st.lists(entries, min_size=1, max_size=4))):
        text += draw(note)
        if draw(st.booleans()):
            text += (
                " " * column + "- " + writing.inline(entry) + draw(st.sampled_from(["", " # x"]))
            )
        else:
            inner = "\n".join(" " * (column + 2) + line for line in writing.block(entry))
            text += " " * column + "- " + inner.lstrip()
        text += "\n" if number < 3 or draw(st.booleans()) else ""
    if text.endswith("\n"):
        text += draw(note) + draw(st.sampled_from(["", "models: {}\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@settings(deadline=None)
@given(manifests(), entries, st.data())
def test_an_edit_changes_the_lines_of_its_entry_and_undone_leaves_the_same_bytes(
    text, entry, data
) -> None:
    """Whatever the file looks like: appended and removed, put and taken out."""
    end = "\r\n" if "\r\n" in text else "\n"
    new = append(text, "routes", entry)
    count = len(plain(text)["routes"])
    assert {line[0] for line in changed(text + end, new + end)} == {"+"}
    assert remove(new, "routes", count) == text
    index = data.draw(st.integers(0, count - 1))
    put_in = put(text, "routes", index, "rateLimit", 100)
    assert len(changed(text + end, put_in + end)) in (1, 2)
    assert put(put_in, "routes", index, "rateLimit", None) == text
    if count > 1:
        gone = remove(text, "routes", index)
        assert {line[0] for line in changed(text + end, gone + end)} == {"-"}
