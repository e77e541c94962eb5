"""Who can be told what a call says is chosen from, and nobody else."""

from collections.abc import Mapping
from functools import partial
from random import Random
from types import MappingProxyType, SimpleNamespace

import pytest

from ai_gateway.answer.call import Call
from ai_gateway.answer.record import Decision
from ai_gateway.answer.select import Selection
from ai_gateway.answer.weights import Publication, Score
from ai_gateway.contract import Event
from ai_gateway.errors import BadRequest, UnknownModel
from ai_gateway.formats import Format
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.manifest.model import Manifest, Route

MESSAGES = [{"role": "user", "content": "hi"}]


def selection(away: Mapping[str, str] = MappingProxyType({}), **dialects: str) -> Selection:
    """Over models of these dialects, of which some are ``away`` for a reason."""
    models = {
        name: {"url": "https://a.example/v1", "model_id": name, "dialect": dialect}
        for name, dialect in dialects.items()
    }
    manifest = Manifest.model_validate({"models": models})
    watched = {name: partial(away.get, name) for name in away}
    return Selection(manifest, SimpleNamespace(current=Publication()), Random(1), watched)


def call(body: dict, form: Format = CHAT, **route) -> Call:
    """On a route of these rules."""
    event = Event("1" * 32, Route(path="/a", **route), "POST", "/a", 1700000000.5)
    return Call(event, "chat", body, model="auto", format=form)


def choice(selection: Selection, asked: Call):
    """What is chosen for ``asked``."""
    return selection.choice(asked, Decision(asked.event))


def test_a_model_that_cannot_be_told_is_excluded() -> None:
    """Its reason is recorded, the others' probabilities are those of a draw among them alone."""
    asked = call({"messages": MESSAGES, "seed": 1}, routing={"policy": "weighted"})
    found = choice(selection(a="openai", b="anthropic", c="openai"), asked)
    told = {candidate.model: candidate for candidate in found.candidates}
    assert [told[name].probability for name in "acb"] == [0.5, 0.5, 0.0]
    assert told["b"].excluded == "seed: an Anthropic model has nothing that this could become."
    assert (told["a"].excluded, found.propensity) == (None, 0.5)
    assert found.chosen in "ac"


def test_a_reason_holds_nothing_of_the_caller_where_he_is_private() -> None:
    """Where texts are not recorded, neither is what a refusal says of them."""
    asked = call({"messages": MESSAGES, "psst": 1}, privacy="none")
    found = choice(selection(a="openai", b="anthropic"), asked)
    assert found.candidates[1].excluded == "invalid_request"


def test_where_no_model_can_be_told_the_caller_learns_why() -> None:
    """The refusal is that of the first candidate, and names the field."""
    with pytest.raises(BadRequest, match="seed") as caught:
        choice(selection(b="anthropic"), call({"messages": MESSAGES, "seed": 1}))
    assert caught.value.param == "seed"
    with pytest.raises(BadRequest, match="completions"):
        choice(selection(b="anthropic"), call({"prompt": "a"}, COMPLETIONS))


def test_a_route_without_models_says_so() -> None:
    """Where the bundle has no model for a route, the caller learns it."""
    with pytest.raises(UnknownModel, match="No model is defined"):
        choice(selection(), call({"messages": MESSAGES}))


def test_a_request_is_translated_once() -> None:
    """What was worked out for the choice is what is sent, with the time when it came."""
    asked = call({"messages": MESSAGES})
    found = asked.spoken("anthropic")
    assert asked.spoken("anthropic") is found
    assert (found.body["max_tokens"], found.created) == (4096, 1700000000)


def test_a_model_that_is_left_alone_is_excluded() -> None:
    """Why stands in the record, and the propensity is that among the others."""
    asked = call({"messages": MESSAGES}, routing={"explore": 0.0})
    found = choice(selection({"a": "model_circuit_open"}, a="openai", b="openai"), asked)
    told = {candidate.model: candidate for candidate in found.candidates}
    assert (found.chosen, found.propensity) == ("b", 1.0)
    assert (told["a"].probability, told["a"].excluded) == (0.0, "model_circuit_open")


def test_where_all_are_left_alone_nobody_is_excluded_for_it() -> None:
    """The call then fails, waits or falls back as declared."""
    away = {"a": "model_circuit_open", "b": "model_busy"}
    found = choice(selection(away, a="openai", b="openai"), call({"messages": MESSAGES}))
    assert [candidate.excluded for candidate in found.candidates] == [None, None]


def test_a_canary_that_is_left_alone_has_no_share() -> None:
    """The others have it meanwhile, and the record says so."""
    asked = call(
        {"messages": MESSAGES}, routing={"models": ["a"]}, canary={"model": "b", "share": 0.5}
    )
    found = choice(selection({"b": "model_circuit_open"}, a="openai", b="openai"), asked)
    assert (found.chosen, found.propensity) == ("a", 1.0)


def test_what_is_published_is_drawn_from_at_once() -> None:
    """What was worked out for the scores before is not drawn from again, nor for other rules."""
    chooses = selection(a="openai", b="openai")

    def odds(**routing: object) -> list[float]:
        found = choice(chooses, call({"messages": MESSAGES}, routing={"explore": 0, **routing}))
        return [candidate.probability for candidate in found.candidates]

    assert odds() == [0.5, 0.5]
    chooses.weights.current = Publication("w1", scores={"a": Score(0.2), "b": Score(0.6)})
    assert odds() == [0.0, 1.0]
    assert odds(policy="weighted") == pytest.approx([0.25, 0.75])


def test_what_is_remembered_of_draws_is_bounded() -> None:
    """One route more than are remembered, and the others are worked out anew."""
    chooses = selection(a="openai", b="openai")
    chooses._odds.update(dict.fromkeys(range(1000)))
    assert choice(chooses, call({"messages": MESSAGES})).propensity == 0.5
    assert len(chooses._odds) == 1
