"""Code: which languages an answer holds code in."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.guardrails.checks import code
from tests.guardrails.finding import findings

FENCE = "```"


def check(**keys: object) -> code.Parameters:
    """A check with these keys."""
    whole = {"name": "c", "type": "code", "stages": ["output"], "action": "redact", **keys}
    return code.Parameters.model_validate(whole)


def found(answer: str, **keys: object) -> list[tuple[str, float, str]]:
    """Each finding as (language, score, what it stands for)."""
    return [
        (each.rule, each.score, answer[each.start : each.end])
        for each in findings(check(**keys or {"allowed": []}), answer)
    ]


@pytest.mark.parametrize(
    ("answer", "language"),
    [
        (f"{FENCE}python\nx = 1\n{FENCE}", "python"),
        (f"{FENCE}Py title=a\nx = 1\n{FENCE}", "python"),
        (f"{FENCE} {{.bash}}\nls\n{FENCE}", "shell"),
        ("~~~~sql\nselect 1\n```\n~~~~~", "sql"),
        (f"{FENCE}C++\nint x;", "cpp"),
        (f"{FENCE}\u00e9lan\nx\n{FENCE}", "\u00e9lan"),
    ],
)
def test_a_fenced_block_is_in_the_language_that_it_says(answer: str, language: str) -> None:
    """Known by any of its names, with score 1; a block that does not end goes on to the end."""
    assert found(f"Do this:\n> {answer}") == [(language, 1.0, answer)]


def test_a_fence_ends_where_markdown_says() -> None:
    """At one as long, of the same sign, that says no language; code in a line is no fence."""
    inner = f"````md\n{FENCE}python\nx\n{FENCE}\n````"
    assert found(inner) == [("md", 1.0, inner)]
    assert found("``` a` b ```\ntext\n```` c` ````") == []


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("sudo rm -rf /var", "shell"),
        ("$ ls -la", "shell"),
        ("curl http://example.com/x | sh", "shell"),
        ("#!/bin/bash", "shell"),
        ("SELECT name FROM users", "sql"),
        ("select a from b where c = 1;", "sql"),
        ("DROP TABLE users", "sql"),
        ("insert into t values (1);", "sql"),
        ("const total = price * 2;", "javascript"),
        ("so: <script>alert(1)</script>", "javascript"),
        ("def total(items):", "python"),
        ("from os import path", "python"),
        ("#!/usr/bin/env python3", "python"),
        ("Invoke-WebRequest https://example.com", "powershell"),
        ("powershell.exe -enc AAAA", "powershell"),
    ],
)
def test_a_line_that_is_plainly_code_is_found_without_a_fence(line: str, language: str) -> None:
    """One line alone is less sure than two; in a fence that says no language it is surer."""
    first = found(f"Try this:\n{line}\nand see")
    assert [(each[0], each[1]) for each in first] == [(language, 0.6)]
    assert line.endswith(first[0][2])
    assert [each[1] for each in found(f"{line}\n{line}")] == [0.8, 0.8]
    assert [each[:2] for each in found(f"{FENCE}\n{line}\n{FENCE}")] == [(language, 0.8)]
    assert [each[:2] for each in found(f"{FENCE}text\n{line}\n{line}\n{FENCE}")] == [
        (language, 0.9)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Select the item from the list. Update the page, set it to blue.",
        "let x = 5 be the first of them\nfrom here on, import duties apply",
        "SELECT THE BEST ONE\nDrop the table off at home",
        "- echo is a mountain\n# Install it with care\nWget is a program",
        f"{FENCE}\nplain words\n{FENCE}\n{FENCE}text\nmore\n{FENCE}",
        "use `sudo rm` with care; \u30b3\u30fc\u30c9",
        "\ud800\n$",
    ],
)
def test_what_is_no_code_passes(answer: str) -> None:
    """Prose with the same words, and blocks that hold no code that is known."""
    assert found(answer) == []


def test_languages_are_allowed_or_denied() -> None:
    """By any of their names; a block is told once, not its lines."""
    answer = f"{FENCE}bash\nsudo ls\n{FENCE}\n{FENCE}py\nprint(1)\n{FENCE}"
    assert [each[0] for each in found(answer, allowed=["Python"])] == ["shell"]
    assert [each[0] for each in found(answer, denied=["sh"])] == ["shell"]
    assert found(answer, denied=["sql"]) == []
    assert found(answer, allowed=["bash", "python3"]) == []


@given(st.text(st.sampled_from("`~\n >abs$#/SELECTFROM;<script\u00e9\ud800")))
def test_any_answer_is_judged(answer: str) -> None:
    """Places are within the answer, and blocks do not overlap."""
    places = [(each.start, each.end) for each in findings(check(allowed=[]), answer)]
    assert all(0 <= start < end <= len(answer) for start, end in places)
    spans = sorted(places)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "allowed or denied, and not both"),
        ({"allowed": ["sql"], "denied": ["python"]}, "allowed or denied, and not both"),
        ({"denied": []}, "denied"),
        ({"allowed": [], "stages": ["input"]}, r"stages: \[output\]"),
    ],
)
def test_keys_that_make_no_sense_are_told(keys: dict[str, object], told: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=told):
        check(**keys)


@pytest.mark.parametrize(
    "text",
    [
        "the quick brown fox, and so on.\n" * 32_000,
        "\u00e9t\u00e9 select \n" * 80_000,
        "```\n" * 250_000,
        "```py\nx\n```\n" * 80_000,
        "sudo a\n" * 150_000,
        "`" * 1_000_000,
        "select " * 150_000,
    ],
)
def test_a_long_answer_is_judged_at_once(text: str) -> None:
    """1 MB takes less than a second of CPU time."""
    parameters = check(denied=["sql"])
    start = time.process_time()
    findings(parameters, text)
    assert time.process_time() - start < 1


def test_more_blocks_than_are_read_are_told() -> None:
    """A block does not hide behind thousands of others, nor a line behind lines."""
    many = f"{FENCE}py\n{FENCE}\n" * 5_001
    assert found(many, denied=["sql"])[0][0] == "too-many"
    assert found("sudo a\n" * 10_001, denied=["sql"])[0][0] == "too-many"
