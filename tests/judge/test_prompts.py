"""A judge prompt fences what it judges, and nothing in a text can get out or be replaced."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.judge.prompts import MAX_PROMPT, Prompt, load

BUNDLE = Path(__file__).parents[2] / "judge_prompts"
SHIPPED = {
    "answer-quality.v1": "c52c03ced8cdc0e977e70cb4d08be26514c46a65a721e350457ec18ee70b96ff",
    "groundedness.v1": "b7e280cfdfec3fa6cf82c5e4e5c10a9d5ef21367101c375a9ed4f892550b8c25",
    "policy-check.v1": "b109c412a85897b77eb0cc75aa20586a28ff0227c1576e300b0e489e2a2768ba",
    "toxicity.v1": "0c80c81824982c0dd4eb15d4b54b3ba2202f1804b366de6e0bd15ea4042b93a7",
}
QUESTION = "<<<question {{nonce}}>>>\n{{question}}\n<<<end {{nonce}}>>>"
ANSWER = "<<<answer {{nonce}}>>>\n{{answer}}\n<<<end {{nonce}}>>>"
PROMPT = f"Judge.\n\n{QUESTION}\n\n{ANSWER}\n"


def test_the_bundles_own_prompts_load():
    """Every prompt that ships is whole, and is known by its name and its digest."""
    prompts, problems = load(BUNDLE)
    assert problems == []
    prompt = prompts["answer-quality.v1"]
    data = (BUNDLE / "answer-quality.v1.md").read_bytes()
    assert prompt.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_shipped_prompt_is_never_edited():
    """A score cites its prompt by name, so a change of words is a new version."""
    digests = {name: prompt.digest for name, prompt in load(BUNDLE)[0].items()}
    assert digests == {name: f"sha256:{digest}" for name, digest in SHIPPED.items()}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("quality.md", PROMPT, "judge_prompts/quality.md: name: found quality.md, wanted NAME.vN"),
        ("Quality.v1.md", PROMPT, "Quality.v1.md: name"),
        ("quality.v0.md", PROMPT, "quality.v0.md: name"),
        ("a.v1.md", PROMPT.replace(ANSWER, ""), "{{answer}}: found 0 lines with it, wanted one"),
        ("a.v1.md", PROMPT + QUESTION, "a.v1.md:11: {{question}}: found 2 lines"),
        ("a.v1.md", PROMPT.replace("<<<end", "<<end"), "a.v1.md:4: {{question}}: found no fence"),
        ("a.v1.md", PROMPT.replace("<<<answer", "x <<<answer"), "{{answer}}: found no fence"),
        ("a.v1.md", PROMPT.replace("{{answer}}", "{{answer}} {{answer}}"), "found no fence"),
        ("a.v1.md", PROMPT + "x" * MAX_PROMPT, f"size: found more, wanted at most {MAX_PROMPT}"),
        ("a.v1.md", b"\xff", "found UnicodeDecodeError, wanted a file of UTF-8 text"),
    ],
)
def test_a_broken_prompt_is_a_problem_that_says_what_is_wrong(tmp_path, name, data, said):
    """A name without a version, a missing placeholder or fence, or too much text is not loaded."""
    folder = tmp_path / "judge_prompts"
    folder.mkdir()
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    prompts, problems = load(folder)
    assert prompts == {}
    assert any(said in str(problem) for problem in problems), list(map(str, problems))


def test_good_prompts_load_beside_broken_ones(tmp_path):
    """All problems are told at once, and Windows line ends are none; a folder is one."""
    (tmp_path / "a.v1.md").write_bytes(PROMPT.replace("\n", "\r\n").encode())
    (tmp_path / "b.v1.md").write_text("")
    (tmp_path / "c.v2.md").mkdir()
    prompts, problems = load(tmp_path)
    assert list(prompts) == ["a.v1"]
    assert [problem.file.rpartition("/")[2] for problem in problems] == [
        "b.v1.md",
        "b.v1.md",
        "c.v2.md",
    ]


def test_a_folder_that_is_not_there_has_no_prompts(tmp_path):
    """Who asks for a prompt of it is told that the prompt is missing."""
    assert load(tmp_path / "none") == ({}, [])


TEXTS = st.text() | st.text("{}<>questionanswernonceend \n", max_size=200)


@given(TEXTS, TEXTS, st.integers(0, 2**64 - 1).map("{:016x}".format))
def test_a_text_stays_inside_its_fence_as_it_is(question, answer, nonce):
    """Placeholders and markers in a text are text: no re-substitution, no template engine."""
    filled = Prompt("a.v1", PROMPT, "").fill(question, answer, nonce)
    assert filled == "".join(
        [
            f"Judge.\n\n<<<question {nonce}>>>\n",
            question,
            f"\n<<<end {nonce}>>>\n\n<<<answer {nonce}>>>\n",
            answer,
            f"\n<<<end {nonce}>>>\n",
        ]
    )
