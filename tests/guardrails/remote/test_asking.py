"""A check asks within its deadline, asks nothing twice, and keeps no text."""

import gc
from threading import Barrier
from types import FunctionType, ModuleType

import pytest

from ai_gateway.errors import UpstreamTimeout
from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import build
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.inspection import FAILED
from ai_gateway.guardrails.policy import Policy
from ai_gateway.guardrails.remote.asking import MOST_CALLS, Asker, Late, NobodyToAsk, TooLong
from ai_gateway.guardrails.remote.reading import Unreadable, content
from ai_gateway.judge.verdict import VerdictError
from tests.clocks import Moved
from tests.guardrails.finding import weighed
from tests.guardrails.remote.asked import TYPES, Model, chat, check, saying, scene, scored

BODY = {"messages": [{"role": "user", "content": "one"}]}
OTHER = {"messages": [{"role": "user", "content": "two"}]}


def rule(reply):
    """A reading: what the model says is the rule."""
    return ((content(reply), 0.75),)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"choices": []},
        {"choices": [{"finish_reason": "content_filter"}]},
        {"choices": [None]},
        {"error": {"message": "x"}},
        {"object": "error", "message": "x"},
        chat(None),
        chat(""),
        chat("safe enough"),
        chat("I would say it is fine."),
        chat("<think>unsafe or safe? off-topic"),
        chat('{"User Safety": "safe", "score": 2}'),
        chat('{"User Safety": "safe"}{"jailbreak": false}'),
        chat("safe\nunsafe"),
        chat("on-topic off-topic"),
        {"jailbreak": "false", "score": 0.1},
        {"jailbreak": False},
        {"jailbreak": True, "score": 1.5},
        {"jailbreak": True, "score": float("nan")},
        {"jailbreak": True, "score": True},
    ],
)
def test_a_reply_in_doubt_fails_the_check(type_, reply) -> None:
    """Whatever the model says beside a verdict, the check raises, and the engine refuses."""
    parameters = check(type_)
    around = scene(Model(lambda _: reply), input="hello", tool="a document", output="an answer")
    with pytest.raises((Unreadable, VerdictError)):
        weighed(parameters, around, parameters.stages[0])
    found = Guardrails([Policy(version=1, name="p", checks=[parameters])]).inspect(
        around.texts, None, around
    )
    assert (found.action, found.unsure, found.verdicts[0].rule) == ("block", True, FAILED)


@pytest.mark.parametrize("type_", sorted(set(TYPES) - {"jailbreak_detect"}))
def test_a_reply_that_was_cut_fails_the_check(type_) -> None:
    """Half a verdict is none, even where it could be read."""
    around = scene(Model(lambda _: chat("unsafe", "length")), input="x", tool="x", output="x")
    parameters = check(type_)
    with pytest.raises(Unreadable, match="cut"):
        weighed(parameters, around, parameters.stages[0])


@pytest.mark.parametrize("type_", TYPES)
def test_nobody_to_ask_fails_the_check(type_) -> None:
    """Where no model may be asked nothing is found, and nothing passes for found to be well."""
    parameters = check(type_)
    with pytest.raises(NobodyToAsk):
        weighed(parameters, scene(None, input="x", tool="x", output="x"), parameters.stages[0])


@pytest.mark.parametrize("type_", TYPES)
def test_a_model_that_is_down_fails_the_check(type_) -> None:
    """The upstream's error goes up to the engine as it is."""

    def down(_body):
        raise UpstreamTimeout("The model did not answer in time.")

    parameters = check(type_)
    with pytest.raises(UpstreamTimeout):
        weighed(
            parameters, scene(Model(down), input="x", tool="x", output="x"), parameters.stages[0]
        )


@pytest.mark.parametrize("type_", TYPES)
def test_the_model_and_the_deadline_are_the_policys(type_) -> None:
    """The engine knows the model beforehand; the call has the whole of the time at most."""
    parameters = check(type_, timeout="700ms")
    model = Model(lambda _: {})
    with pytest.raises(Unreadable):
        weighed(parameters, scene(model, input="x", tool="x", output="x"), parameters.stages[0])
    ((name, path, seconds),) = model.calls
    matcher = build(parameters)
    assert (name, matcher.models, matcher.remote) == ("guard", frozenset({"guard"}), True)
    assert path == ("/classify" if type_ == "jailbreak_detect" else "/chat/completions")
    assert 0.5 < seconds <= 0.7


@pytest.mark.parametrize("type_", TYPES)
def test_nothing_to_judge_asks_nobody(type_) -> None:
    """Blank texts cost no call."""
    parameters, model = check(type_), saying("")
    around = scene(model, input=" ", tool="\n", output="")
    assert weighed(parameters, around, parameters.stages[0]) == []
    assert model.calls == []


@pytest.mark.parametrize("type_", TYPES)
def test_a_redaction_is_refused_when_the_policy_is_read(type_) -> None:
    """A verdict on all texts together names no place."""
    with pytest.raises(ValueError, match="no place to redact"):
        check(type_, action="redact")


def test_the_same_words_are_asked_once() -> None:
    """Until the time is over; a good verdict is remembered as well as a bad one."""
    clock, model = Moved(), saying("bad")
    asker = Asker(check("llama_guard", cache="10s"), clock=clock)
    around = scene(model)
    first = asker.findings(around, [BODY], rule)
    assert asker.findings(around, [BODY], rule) == first == [Finding("bad", 0.75, 0, 0)]
    assert len(model.calls) == 1
    asker.findings(around, [OTHER], rule)
    assert len(model.calls) == 2
    clock.time += 10.1
    asker.findings(around, [BODY], rule)
    assert len(model.calls) == 3
    nothing = Asker(check("llama_guard"), clock=clock)
    assert [nothing.findings(around, [BODY], lambda _: ()) for _ in range(2)] == [[], []]
    assert len(model.calls) == 4


def test_a_cache_of_nothing_asks_every_time() -> None:
    """``cache: 0`` is never."""
    model = saying("bad")
    asker = Asker(check("llama_guard", cache=0), clock=Moved())
    for _ in range(2):
        asker.findings(scene(model), [BODY], rule)
    assert len(model.calls) == 2


def test_a_failure_is_not_remembered() -> None:
    """The next request asks again."""
    replies = iter([chat(None), chat("bad")])
    model = Model(lambda _: next(replies))
    asker = Asker(check("llama_guard"), clock=Moved())
    with pytest.raises(Unreadable):
        asker.findings(scene(model), [BODY], rule)
    assert asker.findings(scene(model), [BODY], rule) == [Finding("bad", 0.75, 0, 0)]


@pytest.mark.parametrize("type_", TYPES)
def test_the_memory_of_verdicts_holds_no_text(type_) -> None:
    """Neither what was said nor what the model said of it, in any container that is left."""
    secret, remark = "my secret harvest", "my secret remark"
    replies = {
        "content_safety": chat(
            f'{{"User Safety": "unsafe", "Safety Categories": "Violence, {remark}"}}'
        ),
        "jailbreak_detect": {"jailbreak": True, "score": 0.5, "note": remark},
        "llama_guard": chat("unsafe\nS1"),
        "topic_control": chat("off-topic"),
        "llm": chat(f'{{"score": 0.7, "reason": "{remark}"}}'),
        "grounded": chat(f'{{"score": 0.3, "reason": "{remark}"}}'),
    }
    parameters = check(type_)
    matcher = build(parameters)
    model = Model(lambda _: replies[type_])
    around = scene(model, input=secret, tool=secret, output=secret)
    assert matcher.weigh
    found = [list(matcher.weigh(around, parameters.stages[0])) for _ in range(2)]
    assert found[0] == found[1] != []
    assert len(model.calls) == 1
    assert not any(word in text for text in texts_of(matcher) for word in (secret, remark))


def texts_of(root: object) -> list[str]:
    """Every string that can be reached from an object, except through modules and classes."""
    seen, found, stack = set(), [], [root]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (type, ModuleType)):
            continue
        seen.add(id(item))
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, FunctionType):
            stack += [cell.cell_contents for cell in item.__closure__ or ()]
        else:
            stack += gc.get_referents(item)
    return found


def test_the_search_for_texts_finds_them() -> None:
    """The test above can fail: what a closure or a cache holds is found."""
    held = {"key": ("my secret harvest",)}
    assert "my secret harvest" in texts_of(lambda: held)
    model = Model(lambda _: chat("my secret remark"))
    asker = Asker(check("llama_guard"), clock=Moved())
    asker.findings(scene(model), [BODY], rule)
    assert "my secret remark" in texts_of(asker)


def test_parts_are_asked_at_the_same_time() -> None:
    """Four calls that wait for each other all arrive; the highest score of a rule counts."""
    barrier = Barrier(4, timeout=10)

    def says(body):
        barrier.wait()
        return chat(body["messages"][0]["content"])

    bodies = [{"messages": [{"content": f"0.{number}"}]} for number in (3, 9, 5, 1)]
    asker = Asker(check("llama_guard"))
    found = asker.findings(
        scene(Model(says)), bodies, lambda reply: (("r", float(content(reply))),)
    )
    assert found == [Finding("r", 0.9, 0, 0)]


def test_the_deadline_is_that_of_all_calls() -> None:
    """What the first calls used is gone for the others; behind it nobody is asked any more."""
    clock = Moved()

    def slow(_body):
        clock.time += 3.0
        return chat("fine")

    model = Model(slow)
    asker = Asker(check("llama_guard", timeout=2), clock=clock)
    bodies = [{"messages": [{"content": str(number)}]} for number in range(9)]
    with pytest.raises(Late):
        asker.findings(scene(model), bodies, rule)
    assert len(model.calls) < len(bodies)


def test_one_part_that_fails_is_a_failure() -> None:
    """No verdict on a text of which a part was not judged."""
    model = Model(lambda body: chat(body["messages"][0]["content"]))
    bodies = [{"messages": [{"content": said}]} for said in ("fine", None, "fine too")]
    with pytest.raises(Unreadable):
        Asker(check("llama_guard")).findings(scene(model), bodies, rule)


def test_a_text_that_needs_too_many_calls_fails() -> None:
    """Before the first of them."""
    model = scored(0.0)
    long = "a word or two " * 100 * MOST_CALLS
    with pytest.raises(TooLong):
        weighed(check("llm", max_characters=1_000), scene(model, input=long))
    assert model.calls == []
