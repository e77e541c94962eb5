"""The forms in which content safety models are asked and answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.guardrails.remote import safety
from ai_gateway.guardrails.remote.reading import Unreadable
from ai_gateway.guardrails.remote.safety import CATEGORIES, UNLISTED, UNSAFE, verdict
from tests.guardrails.finding import weighed
from tests.guardrails.remote.asked import chat, check, roles, saying, scene, shown


def rules(content, stage="input", counted=CATEGORIES) -> list[str]:
    """The rules that a reply comes to."""
    return [rule for rule, _ in verdict(chat(content), stage, counted)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"User Safety": "safe"} ', []),
        ('{"User Safety": "unsafe"}', [UNSAFE]),
        (
            '{"User Safety": "unsafe", "Safety Categories": "Malware, Guns and Illegal Weapons"} ',
            ["Malware", "Guns and Illegal Weapons"],
        ),
        ('```json\n{"User Safety": "unsafe", "Safety Categories": ""}\n```', [UNSAFE]),
        (
            '{"user safety": "Unsafe", "Safety Categories": "S2: sexual (Minor)"}',
            ["Sexual (minor)"],
        ),
        ('{"User Safety": "unsafe", "Safety Categories": "S3, Violence"}', [UNLISTED, "Violence"]),
        ('{"User Safety": "unsafe", "Safety Categories": "my own words"}', [UNLISTED]),
        ("User Safety: safe", []),
        ("User Safety: unsafe\nResponse Safety: safe\nSafety Categories: Threat", ["Threat"]),
        ("<think>Is it safe? User Safety: safe</think>\nUser Safety: unsafe", [UNSAFE]),
        ("Prompt harm: harmful\nResponse harm: None", [UNSAFE]),
        ('"Prompt harm: unharmful\nResponse harm: unharmful"', []),
    ],
)
def test_every_form_of_an_answer_is_read(content, expected) -> None:
    """JSON with a space behind it, in a fence, lines, lines on harm, behind a thought."""
    assert rules(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"User Safety": "unsafe", "Response Safety": "safe"}', []),
        (
            '{"User Safety": "safe", "Response Safety": "unsafe", "Safety Categories": "Malware"}',
            ["Malware"],
        ),
        ("Prompt harm: harmful\nResponse harm: unharmful", []),
        ("Prompt harm: harmful\nResponse harm: harmful", [UNSAFE]),
    ],
)
def test_of_an_answer_only_the_response_counts(content, expected) -> None:
    """A refusal of an unsafe request is a safe answer."""
    assert rules(content, "output") == expected


@pytest.mark.parametrize(
    "content",
    [
        '{"User Safety": "safe"',
        '{"User Safety": "safe"} {"User Safety": "unsafe"}',
        '{"User Safety": "safe", "User Safety": "unsafe"}',
        '{"User Safety": "safe", "user safety": "unsafe"}',
        '{"User Safety": true}',
        '{"User Safety": "maybe"}',
        '{"User Safety": "unsafe", "Safety Categories": ["Violence"]}',
        '{"Response Safety": "safe"}',
        '{"User Safety": "safe", "Prompt harm": "unharmful"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "{}",
        "safe",
        "User Safety: safe\nUser Safety: unsafe",
        "User Safety: safe\nand so on",
        "Prompt harm: None",
        "<think>: perhaps\nUser Safety: safe",
        "",
        "```",
    ],
)
def test_an_answer_in_doubt_is_none(content) -> None:
    """Half an object, two of them, contradictions, other types, other words."""
    with pytest.raises(Unreadable):
        rules(content)


def test_an_answer_without_a_rating_of_the_response_is_none() -> None:
    """A model that looked at the request alone has not judged the answer."""
    with pytest.raises(Unreadable):
        rules('{"User Safety": "unsafe"}', "output")


@given(st.text() | st.dictionaries(st.text(), st.text() | st.none()).map(json.dumps))
def test_any_other_answer_is_unreadable(content) -> None:
    """And nothing else goes wrong."""
    with pytest.raises(Unreadable):
        rules(content)


def test_categories_that_do_not_count() -> None:
    """Left out by name; a category outside the list counts, and a verdict without one."""
    unsafe = '{"User Safety": "unsafe", "Safety Categories": "Profanity, Threat, Nonsense"}'
    assert rules(unsafe, counted=("Threat",)) == ["Threat", UNLISTED]
    only = '{"User Safety": "unsafe", "Safety Categories": "Profanity"}'
    assert rules(only, counted=("Threat",)) == []
    assert rules('{"User Safety": "unsafe"}', counted=("Threat",)) == [UNSAFE]


def test_a_policy_says_which_categories_count() -> None:
    """By their names."""
    parameters = check("content_safety", categories=["Threat", "Sexual (minor)"])
    said = '{"User Safety": "unsafe", "Safety Categories": "Profanity, Sexual (minor)"}'
    found = weighed(parameters, scene(saying(said), input="x"))
    assert [finding.rule for finding in found] == ["Sexual (minor)"]


def test_a_misspelt_category_is_told_at_the_start() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="one of: Violence, Sexual, "):
        check("content_safety", categories=["Violense"])


def test_the_prompt_has_the_structure_that_the_model_knows() -> None:
    """Categories, conversation, form, in this order, each between its delimiters."""
    model = saying('{"User Safety": "safe"}')
    weighed(check("content_safety"), scene(model, input=["first", "second"]))
    said = shown(model.bodies[0])
    signs = (
        "Task:",
        "<BEGIN UNSAFE CONTENT CATEGORIES>\nS1: Violence.\n",
        "S23: Immoral/Unethical.\n<END UNSAFE CONTENT CATEGORIES>",
        "<BEGIN CONVERSATION>\n\nuser: first\nsecond\n\n<END CONVERSATION>",
        '"User Safety"',
        '"Response Safety"',
        '"Safety Categories"',
    )
    places = [said.index(sign) for sign in signs]
    assert places == sorted(places)
    assert model.bodies[0]["temperature"] == 0


def test_an_answer_stands_behind_its_request() -> None:
    """In the transcript, and as messages for a model with a template of its own."""
    reply = '{"User Safety": "unsafe", "Response Safety": "unsafe", "Safety Categories": "Threat"}'
    for form in ("nemoguard", "messages", "reasoning"):
        model = saying(reply)
        parameters = check("content_safety", stages=("output",), format=form)
        around = scene(model, input="ask", output="tell")
        (found,) = weighed(parameters, around, "output")
        assert (found.rule, found.score, found.start, found.end) == ("Threat", 1.0, 0, 0)
        if form == "messages":
            assert roles(model.bodies[0]) == [("user", "ask"), ("assistant", "tell")]
        else:
            expected = {
                "nemoguard": "\n\nuser: ask\n\nresponse: agent: tell\n\n<END CONVERSATION>",
                "reasoning": "Human user:\nask\n\nAI assistant:\ntell\n\n",
            }
            assert expected[form] in shown(model.bodies[0])


def test_a_request_alone_has_no_response() -> None:
    """The reasoning model is told so in its own word."""
    assert "AI assistant:\nNone\n\n" in shown(safety.reasoning("ask", None))
    assert roles(safety.messages("ask", None)) == [("user", "ask")]
