"""docs/guardrails.md says what the code does."""

import json
import re
from pathlib import Path

import yaml

from ai_gateway.guardrails.checks import MODELS
from ai_gateway.guardrails.engine import Guardrails, load
from ai_gateway.guardrails.policy import Policy
from ai_gateway.guardrails.scene import Text

ROOT = Path(__file__).parents[2]
PAGE = "\n".join(
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("guardrails", "checks")
)


def blocks(language: str) -> list[str]:
    """The page's examples in ``language``."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_key_of_every_check_is_explained() -> None:
    """A type has its section, and each of its keys is named."""
    for model in MODELS:
        schema = model.model_json_schema()["properties"]
        assert f"## `{schema['type']['const']}`" in PAGE
        assert [key for key in schema if f"`{key}`" not in PAGE and f"{key}:" not in PAGE] == []


def test_the_examples_are_policies() -> None:
    """The whole policy, and the topic as one more check of it."""
    _, whole, _, topic, *_ = blocks("yaml")
    policy = Policy.model_validate(yaml.safe_load(whole + topic))
    found = Guardrails([policy]).inspect([Text("making a bomb for Project Titan", "input")])
    assert [(v.check, v.rule) for v in found.verdicts] == [
        ("code-names", "project titan"),
        ("building-bombs", "make-a-bomb"),
    ]


def test_the_example_verdict_is_the_real_one() -> None:
    """What POST /guardrail is said to answer."""
    question, answer = map(json.loads, blocks("json"))
    default, _ = load(ROOT / "policies")
    found = default.inspect([Text(question["inputs"], question["stage"])], question["policies"])
    (verdict,) = found.verdicts
    assert {key: getattr(verdict, key) for key in answer["verdicts"][0]} == answer["verdicts"][0]
    assert (found.action, dict(found.scores)) == (answer["action"], answer["scores"])
