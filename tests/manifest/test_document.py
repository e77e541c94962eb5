"""The located YAML reader, and what pydantic says of it with lines."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ai_gateway.manifest.document import MAX_VALUES, Document, read, validate
from ai_gateway.manifest.problem import Problem
from ai_gateway.manifest.yaml12 import MAX_CHARACTERS, MAX_DEPTH


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Circle(Closed):
    kind: Literal["circle"]
    radius: float = Field(gt=0)


class Square(Closed):
    kind: Literal["square"]
    side: float | list[float]
    corners: dict[str, Circle] = {}


class Shapes(Closed):
    version: Literal[1]
    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]] = []
    names: dict[str, int] = {}
    token: str = "x"
    labels: Annotated[tuple[Annotated[str, Field(max_length=3)], ...], Field(max_length=2)] = ()

    @field_validator("token")
    @classmethod
    def _spells(cls, value: str) -> str:
        if "bad" in value:
            raise ValueError(f"a good token, not {value}")
        return value


def said(document: Document) -> list[str]:
    """What a report of the document says."""
    return [str(problem) for problem in validate(document, Shapes)[1]]


def test_a_problem_is_one_line() -> None:
    """A report is read line by line, whatever was found."""
    assert str(Problem("a.yaml", 3, "x.0", "two\nlines", "one")) == (
        "a.yaml:3: x.0: found two lines, wanted one"
    )
    assert str(Problem("a.yaml", None, "", "nothing", "a file")) == (
        "a.yaml: found nothing, wanted a file"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("none", "none"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("9" * 19, "9" * 19),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!int '7'", 7),
        ("-3", -3),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("[POST, GET]", ["POST", "GET"]),
        ("{on: 1, 2: b, <<: c}", {"on": 1, "2": "b", "<<": "c"}),
        ("${HOME}", "${HOME}"),
    ],
)
def test_plain_values_are_what_they_look_like(text: str, value: object) -> None:
    """None of YAML 1.1's surprises changes what an operator wrote."""
    document = read(text)
    assert (document.value, document.problems) == (value, ())
    assert type(document.value) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "text:1: found no YAML (mapping values are not allowed in this context)"),
        ("a: 1\n---\nb: 2", "text:2: found no YAML (but found another document)"),
        ("a: *b", "text:1: found no YAML (found undefined alias)"),
        ("a:\n  \x00", "text:2: found the character #x0000"),
        ("a:\n  \ud800", "text:2: found a lone surrogate"),
        ("a" * (MAX_CHARACTERS + 1), "text: found 1,000,001 characters"),
        ("[" * 100_000, "text:1: found deeper nesting"),
        ("a: &x [*x]", "text:1: found aliases that grow without bound"),
    ],
)
def test_a_text_that_is_no_document_is_one_problem(text: str, message: str) -> None:
    """It says on which line, and nothing is read from it."""
    document = read(text)
    assert len(document.problems) == 1
    assert str(document.problems[0]).startswith(message)
    assert document.value is None
    assert validate(document, Shapes) == (None, list(document.problems))


def test_nesting_as_deep_as_allowed_is_read() -> None:
    """The limit is a limit, not one off."""
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).problems == ()


def test_aliases_are_read_and_cannot_explode() -> None:
    """An alias stands for its value; ten levels of ten aliases are refused, not written out."""
    assert read("a: &x [1]\nb: *x").value == {"a": [1], "b": [1]}
    bomb = "a0: &a0 [1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )
    (problem,) = read(bomb).problems
    assert f"{MAX_VALUES:,} values" in problem.wanted


def test_keys_and_tags_that_are_not_plain_are_problems() -> None:
    """A key twice, a key that is a list, and any tag are each said with their line."""
    document = read(
        "a: 1\nb: !!python/name:os.system x\na: 2\n? [k]\n: v\nc: !!set {x}\nd: !!int x"
    )
    assert [str(problem) for problem in document.problems] == [
        (
            "text:2: b: found the tag 'tag:yaml.org,2002:python/name:os.system',"
            " wanted a plain value without a tag"
        ),
        "text:3: a: found the key a second time (first on line 1), wanted each key once",
        "text:4: found a key that is a list or a mapping, wanted keys of text",
        "text:6: c: found the tag 'tag:yaml.org,2002:set', wanted a plain value without a tag",
        "text:7: d: found the tag 'tag:yaml.org,2002:int', wanted a plain value without a tag",
    ]


def test_lines_are_those_of_the_keys() -> None:
    """A place that is not in the file has the line of what is above it."""
    document = read("a:\n  - x\n  - y:\n      1\nb:\n  {c: 2}")
    assert document.line(("a", 1, "y")) == 3
    assert document.line(("a", 1, "tag", "z")) == 3
    assert document.line(("b", "c")) == 6
    assert document.line(()) == 1


def test_variables_are_replaced_and_remembered() -> None:
    """A value knows which variables it came from, and so does all that is above it."""
    document = read(
        "url: http://${HOST}:${PORT}/${HOST}\nn: 1\nl: ['${PORT}']",
        variables={"HOST": "h", "PORT": "80"},
    )
    assert document.value == {"url": "http://h:80/h", "n": 1, "l": ["80"]}
    assert document.variables(("url",)) == ("HOST", "PORT")
    assert document.variables(("l",)) == ("PORT",)
    assert document.variables(("n",)) == ()


def test_an_unset_variable_is_a_problem_that_names_it() -> None:
    """So is an empty one, and a ${ that is no variable; the value's own errors are not added."""
    document = read("version: 1\nshapes: ${A}\nnames:\n  x: ${B}\n  y: 1${\n", variables={"B": ""})
    assert said(document) == [
        (
            "text:2: shapes: found ${A}, and the variable A is not set,"
            " wanted a value for A in the environment"
        ),
        (
            "text:4: names.x: found ${B}, and the variable B is not set,"
            " wanted a value for B in the environment"
        ),
        "text:5: names.y: found ${ without a name and }, wanted ${NAME}",
    ]


def test_the_value_of_a_variable_is_never_shown() -> None:
    """Not as what was found, and not in a validator's own words."""
    secret = "bad-secret"
    document = read(
        "version: ${V}\ntoken: ${T}\nnames: {a: 'x${T}'}", variables={"V": secret, "T": secret}
    )
    report = said(document)
    assert report == [
        "text:1: version: found the value of ${V}, wanted 1",
        (
            "text:3: names.a: found the value of ${T}, wanted a valid integer,"
            " unable to parse string as an integer"
        ),
        "text:2: token: found the value of ${T}, wanted a good token, not ${V}",
    ]
    assert secret not in repr(document)
    assert document.problem(("token",), f"found {secret}", "x").found == "found ${V}"


def test_every_error_is_reported_at_once_with_what_would_be_right() -> None:
    """Each with its line, its dotted key, what was found and what was wanted."""
    text = f"""
versoin: 1
shapes:
  - kind: circle
    radius: -1
  - kind: square
    side: {"x" * 100}
    sides: 4
    corners: {{a: {{kind: circle, radus: 1}}}}
  - kind: triangle
  - {{}}
  - 5
names: [1]
"""
    assert said(read(text)) == [
        "text:2: version: found nothing, wanted a value, as it is required",
        "text:5: shapes.0.radius: found -1, wanted greater than 0",
        (
            f"text:7: shapes.1.side: found '{'x' * 56}..., wanted a valid number, unable to parse"
            " string as a number, or a list"
        ),
        "text:9: shapes.1.corners.a.radius: found nothing, wanted a value, as it is required",
        "text:9: shapes.1.corners.a.radus: found the unknown key 'radus', wanted 'radius'",
        "text:8: shapes.1.sides: found the unknown key 'sides', wanted 'side'",
        "text:10: shapes.2.kind: found 'triangle', wanted one of 'circle', 'square'",
        "text:11: shapes.3.kind: found nothing, wanted a value, as it is required",
        "text:12: shapes.4: found 5, wanted a mapping",
        "text:13: names: found a list of 1, wanted a mapping",
        "text:2: versoin: found the unknown key 'versoin', wanted 'version'",
    ]


def test_an_unknown_key_without_a_near_one_gets_the_list() -> None:
    """An operator sees what there is."""
    assert said(read("version: 1\nqqq: 1")) == [
        (
            "text:2: qqq: found the unknown key 'qqq',"
            " wanted one of version, shapes, names, token, labels"
        )
    ]
    assert said(read("version: 1\nshapes: [{kind: circle, radius: 1, q: 1}]")) == [
        "text:2: shapes.0.q: found the unknown key 'q', wanted one of kind, radius"
    ]


def test_a_list_is_told_its_own_length_or_its_items_errors() -> None:
    """Too many items, or what is wrong with one; not both as a count of the items that fit."""
    assert said(read("version: 1\nlabels: [a, b, c]")) == [
        "text:2: labels: found a list of 3, wanted at most 2 of them"
    ]
    assert said(read("version: 1\nlabels: [abcd]")) == [
        "text:2: labels.0: found 'abcd', wanted String should have at most 3 characters"
    ]
    assert said(read("version: 1\nlabels: x")) == ["text:2: labels: found 'x', wanted a list"]


def test_a_document_that_fits_comes_back_with_its_own_problems() -> None:
    """A caller can go on looking for more while the document is not yet right."""
    model, problems = validate(read("version: 1\nversion: 2", "f.yaml"), Shapes)
    assert model == Shapes(version=1)
    assert [problem.file for problem in problems] == ["f.yaml"]


def test_nothing_is_not_a_mapping() -> None:
    """An empty file and a bare word are one problem each."""
    assert [p.found for p in validate(read(""), Shapes)[1]] == ["nothing"]
    assert [p.found for p in validate(read("true"), Shapes)[1]] == ["true"]
    assert [p.found for p in validate(read("version: {a: 1}"), Shapes)[1]] == ["a mapping"]


def test_files_are_read_or_are_a_problem(tmp_path: Path) -> None:
    """Missing, not UTF-8, and good."""
    path = tmp_path / "x.yaml"
    assert read(path).problems[0].found == "no readable file (No such file or directory)"
    path.write_bytes(b"a: 1\nb: \xff")
    assert (read(path).problems[0].line, read(path).problems[0].wanted) == (2, "UTF-8")
    path.write_text("a: ä", encoding="utf-8")
    assert read(path).value == {"a": "ä"}
    assert read(path).file == str(path)


@given(st.text() | st.text(alphabet="ab:[]{}-&*!|>'\"\n ${}#?,%~01", max_size=60))
def test_no_text_crashes_the_reader(text: str) -> None:
    """Every text is a value or problems, with or without variables, and can be validated."""
    for variables in (None, {"a": "b"}):
        document = read(text, "t.yaml", variables)
        assert document.readable or document.problems
        assert all(str(problem) for problem in validate(document, Shapes)[1])
