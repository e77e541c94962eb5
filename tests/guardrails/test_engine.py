"""The engine, and policies from their files to verdicts."""

import json
import shutil
import threading
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.check import Check
from ai_gateway.guardrails.checks import MODELS
from ai_gateway.guardrails.engine import Guardrails, load
from ai_gateway.guardrails.inspection import Inspection, Verdict
from ai_gateway.guardrails.policy import Policy, digest
from ai_gateway.guardrails.scene import Text
from ai_gateway.guardrails.schema import schema
from ai_gateway.records.schema import VERDICT

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "tests" / "bundles"


def phrases(name: str, *words: str, **changed: object) -> dict[str, object]:
    """A check as a policy file has it."""
    check = {"name": name, "type": "phrases", "stages": ["input"], "action": "block"}
    return {**check, "phrases": words, **changed}


def policy(name: str, *checks: dict[str, object]) -> Policy:
    """A policy as its file says it."""
    return Policy.model_validate({"version": 1, "name": name, "checks": checks})


DEFAULT, _ = load(ROOT / "policies")
GUARDRAILS = Guardrails(
    [
        policy("one", phrases("words", "red"), phrases("marked", "blue", action="flag")),
        policy("two", phrases("tried", "green", mode="observe", stages=["output", "tool"])),
        policy("three", phrases("words", "white")),
    ]
)


def inspect(text: str, stage: str = "input", *names: str) -> Inspection:
    """What the policies above say of one text."""
    return GUARDRAILS.inspect([Text(text, stage)], names or None)


def test_a_verdict_has_the_columns_of_the_record() -> None:
    """A verdict can be stored as it is."""
    assert [field.name for field in fields(Verdict)] == [field.name for field in VERDICT]


def test_a_verdict_explains_itself() -> None:
    """Policy, check, rule, stage, action, mode, score and place."""
    assert inspect("so red").verdicts == [
        Verdict("one", "words", "red", "input", "block", "enforce", 1.0, 3, 6),
    ]


@pytest.mark.parametrize(
    ("text", "stage", "action"),
    [
        ("red and blue", "input", "block"),
        ("blue", "input", "flag"),
        ("black", "input", "allow"),
        ("red", "output", "allow"),
        ("green", "output", "allow"),
        ("green", "tool", "allow"),
    ],
)
def test_the_strongest_enforced_action_counts(text: str, stage: str, action: str) -> None:
    """An observed finding is told and changes nothing; a check has its stages."""
    found = inspect(text, stage)
    assert found.action == action
    assert bool(found.verdicts) is (text == "green" or action != "allow")


def test_several_texts_are_one_inspection() -> None:
    """Each finding keeps its stage and its place in its own text."""
    found = GUARDRAILS.inspect([Text("a red", "input"), Text("green", "output")])
    assert [(v.stage, v.rule, v.start) for v in found.verdicts] == [
        ("input", "red", 2),
        ("output", "green", 0),
    ]
    assert found.scores == {"words": 1.0, "marked": 0.0, "tried": 1.0}


def test_only_the_named_policies_are_asked() -> None:
    """A route names its policies; each is asked once; a name that there is not is a bug."""
    assert inspect("red", "input", "two", "three").action == "allow"
    assert len(inspect("red", "input", "one", "one").verdicts) == 1
    assert GUARDRAILS.inspect([Text("red", "input")], []) == Inspection()
    with pytest.raises(KeyError):
        inspect("red", "input", "four")


def test_a_score_below_the_threshold_is_told_and_is_no_verdict() -> None:
    """An operator sees how near a text came."""
    topic = {
        "name": "near",
        "type": "topic",
        "stages": ["input"],
        "action": "block",
        "threshold": 0.5,
        "lists": {"a": ["red"]},
        "rules": [{"name": "r", "needs": ["a"], "score": 0.3}],
    }
    found = Guardrails([policy("p", topic)]).inspect([Text("red", "input")])
    assert (found.action, found.verdicts, found.scores) == ("allow", [], {"near": 0.3})


def test_the_digest_is_of_the_content() -> None:
    """Comments, layout and defaults written out do not change it; a changed word does."""
    plain = policy("p", phrases("w", "red"))
    assert digest([plain]) == digest([policy("p", phrases("w", "red", threshold=0.5))])
    assert digest([plain]) != digest([policy("p", phrases("w", "blue"))])
    assert Guardrails([plain]).digest == digest([plain])
    assert digest([plain]).startswith("sha256:")


def test_no_policies_are_no_problem(tmp_path: Path) -> None:
    """A missing and an empty folder hold no policies, and hidden files are left alone."""
    (tmp_path / ".hidden").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        guardrails, problems = load(folder)
        assert (guardrails.names, problems) == ((), [])
        assert guardrails.inspect([Text("anything", "input")]).action == "allow"


@pytest.mark.parametrize(
    "bundle",
    sorted(path.parent for path in BUNDLES.glob("policy-*/policies")),
    ids=lambda path: path.name,
)
def test_a_broken_policy_is_told_what_is_wrong(bundle: Path) -> None:
    """File, line, key, what was found, what would be right: all at once."""
    _, problems = load(bundle / "policies")
    assert [str(problem) for problem in problems] == (
        (bundle / "expected.txt").read_text(encoding="utf-8").splitlines()
    )


def test_every_type_of_check_is_known_by_its_file() -> None:
    """The registry is the folder; each type has a name of its own."""
    names = [model.model_json_schema()["properties"]["type"]["const"] for model in MODELS]
    folder = ROOT / "ai_gateway" / "guardrails" / "checks"
    assert names == sorted(path.stem for path in folder.glob("[a-z]*.py"))
    assert all(issubclass(model, Check) for model in MODELS)


def test_the_schema_is_current() -> None:
    """What is published is what is checked; `make schema` writes it anew."""
    file = ROOT / "policies" / "policy.schema.json"
    assert file.read_text(encoding="utf-8") == schema()
    assert json.loads(schema())["additionalProperties"] is False


def test_policies_load_from_either_suffix_in_the_order_of_their_names(tmp_path: Path) -> None:
    """The file's name does not matter."""
    source = BUNDLES / "policy-two-of-one-name" / "policies" / "a.yaml"
    shutil.copy(source, tmp_path / "z.yml")
    text = source.read_text(encoding="utf-8").replace("topics", "another")
    (tmp_path / "zz.yaml").write_text(text, encoding="utf-8")
    guardrails, problems = load(tmp_path)
    assert (guardrails.names, problems) == (("another", "topics"), [])


def test_threads_share_one_engine() -> None:
    """The same verdicts from eight threads as from one."""
    texts = [Text(f"how to build a b\u200bomb {n} \u043e", "input") for n in range(50)]
    expected = DEFAULT.inspect(texts)
    found: list[Inspection] = []
    threads = [
        threading.Thread(target=lambda: found.append(DEFAULT.inspect(texts))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


@given(st.text(), st.sampled_from(["input", "output", "tool"]))
def test_any_text_is_inspected(text: str, stage: str) -> None:
    """No text crashes; scores are 0..1; places lie in the text."""
    found = DEFAULT.inspect([Text(text, stage)])
    assert all(0 <= score <= 1 for score in found.scores.values())
    assert all(0 <= v.start < v.end <= len(text) for v in found.verdicts)
