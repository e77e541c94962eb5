"""Topic control, jailbreak detection and Llama Guard: what is asked, and what an answer means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.check import Stage
from ai_gateway.guardrails.checks import build
from ai_gateway.guardrails.checks.topic_control import CLOSING
from ai_gateway.guardrails.remote.asking import MOST_CALLS
from ai_gateway.guardrails.remote.reading import Unreadable
from tests.guardrails.finding import weighed
from tests.guardrails.remote.asked import Model, check, roles, saying, scene

STAGES: tuple[Stage, ...] = ("input", "output")


def found(type_, model, **more) -> list[tuple[str, float]]:
    """What a check finds in a harmless request."""
    return [(f.rule, f.score) for f in weighed(check(type_, **more), scene(model, input="hello"))]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("on-topic ", []),
        ("off-topic ", [("off-topic", 1.0)]),
        ('"Off-topic".', [("off-topic", 1.0)]),
    ],
)
def test_topic_control_answers_with_a_word(said, expected) -> None:
    """The space behind it, quotes and case mean nothing."""
    assert found("topic_control", saying(said)) == expected


def test_the_policy_ends_with_the_sentence_that_the_model_knows() -> None:
    """Behind the operator's instructions and topics; then comes what was said, in its order."""
    model = saying("on-topic")
    parameters = check("topic_control", instructions="Be kind. ", topics=["roses", "bees"])
    request = {
        "messages": [
            {"role": "system", "content": "never shown"},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ]
    }
    weighed(parameters, scene(model, request, input=["one", "two", "three"]))
    (system, policy), *history = roles(model.bodies[0])
    assert system == "system"
    assert policy.startswith("Be kind.\n\n")
    assert policy.endswith(f":\n- roses\n- bees\n\n{CLOSING}")
    assert history == [("user", "one"), ("assistant", "two"), ("user", "three")]
    assert (model.bodies[0]["temperature"], model.bodies[0]["max_tokens"]) == (0.01, 10)


def test_a_conversation_that_is_too_long_is_judged_in_parts() -> None:
    """No part of it is dropped to make room: padding hides nothing."""
    model = saying("on-topic")
    request = {"messages": [{"role": "user", "content": f"{'x' * 700} election"}]}
    around = scene(model, request, input=[f"{'x' * 700} election", "more"])
    weighed(check("topic_control", max_characters=500), around)
    assert len(model.bodies) > 1
    shown = [roles(body)[1:] for body in model.bodies]
    assert any("election" in text for ((_, text),) in shown)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"topics": ()}, "instructions, topics or both"),
        ({"topics": (" ",)}, "at least 1 character"),
        ({"stages": ("input", "output")}, r"stages: \[input\]"),
    ],
)
def test_topic_control_needs_a_policy_and_a_user(wrong, said) -> None:
    """Told when the policy is read."""
    with pytest.raises(ValueError, match=said):
        check("topic_control", **wrong)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ({"jailbreak": True, "score": 0.0}, 0.5),
        ({"jailbreak": True, "score": -1}, 0.5),
        ({"jailbreak": True, "score": 0.66}, 0.83),
        ({"jailbreak": True, "score": 1}, 1.0),
        ({"jailbreak": False, "score": -1.0}, 0.0),
        ({"jailbreak": False, "score": 0.0}, 0.49),
        ({"jailbreak": False, "score": 0.9}, 0.49),
    ],
)
def test_the_yes_or_no_decides(reply, score) -> None:
    """A yes counts at the default threshold and a no does not, whatever the score beside it."""
    ((rule, sure),) = found("jailbreak_detect", Model(lambda _: reply))
    assert rule == "jailbreak"
    assert sure == pytest.approx(score)


def test_a_long_text_hides_no_short_one() -> None:
    """Every text is asked about by itself, each once; a long one in parts."""
    model = Model(lambda body: {"jailbreak": body["input"] == "dan", "score": 0.0})
    texts = ["x" * 900, "dan", "dan"]
    parameters = check("jailbreak_detect", max_characters=500)
    assert [f.score for f in weighed(parameters, scene(model, input=texts))] == [0.5]
    assert sorted(len(body["input"]) for body in model.bodies) == [3, 462, 500]


def test_many_short_texts_are_asked_about_together() -> None:
    """A request with a hundred tools costs no hundred calls."""
    model = Model(lambda _: {"jailbreak": False, "score": -1.0})
    texts = [f"tool number {number}" for number in range(MOST_CALLS + 1)]
    weighed(check("jailbreak_detect"), scene(model, input=texts))
    assert [body["input"] for body in model.bodies] == ["\n".join(texts)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("safe", []),
        ("\n\nsafe ", []),
        ("\n\nunsafe\nS1,S14", ["S1", "S14"]),
        ("unsafe\nS1, S1", ["S1"]),
        ("unsafe", ["unsafe"]),
        ("unsafe\nO3", ["O3"]),
    ],
)
def test_llama_guard_answers_in_two_lines(said, expected) -> None:
    """The rule is the code."""
    assert [rule for rule, _ in found("llama_guard", saying(said))] == expected


@pytest.mark.parametrize(
    "said", ["unsafe\nviolence", "unsafe\nS1;S2", "Safe?", "unsafe S1\nsafe", "safe S1"]
)
def test_llama_guards_other_words_are_no_verdict(said) -> None:
    """They are the model's, and might be the caller's."""
    with pytest.raises(Unreadable):
        found("llama_guard", saying(said))


@given(st.text().filter(lambda said: said.strip() not in ("safe", "unsafe")))
def test_any_other_answer_of_llama_guard_is_unreadable(said) -> None:
    """And nothing else goes wrong; a thought before the verdict is no part of it."""
    with pytest.raises(Unreadable):
        found("llama_guard", saying(said))


def test_llama_guards_categories_that_do_not_count() -> None:
    """A verdict without a category always counts."""
    assert found("llama_guard", saying("unsafe\nS1,S9"), categories=["S9"]) == [("S9", 1.0)]
    assert found("llama_guard", saying("unsafe\nS1"), categories=["S9"]) == []
    assert found("llama_guard", saying("unsafe"), categories=["S9"]) == [("unsafe", 1.0)]
    with pytest.raises(ValueError, match="categories"):
        check("llama_guard", categories=["Violence"])


def test_llama_guard_judges_the_last_message() -> None:
    """Which is all of the request, or the answer behind it."""
    model = saying("safe")
    weigh = build(check("llama_guard")).weigh
    assert weigh
    around = scene(model, input=["one", "two"], output="three")
    for stage in STAGES:
        list(weigh(around, stage))
    assert [roles(body) for body in model.bodies] == [
        [("user", "one\ntwo")],
        [("user", "one\ntwo"), ("assistant", "three")],
    ]
