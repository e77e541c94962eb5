"""A question that means the same finds the answer; one that only looks similar does not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.cache.exact import Cached
from ai_gateway.cache.key import Question, Scope, question
from ai_gateway.cache.semantic import SemanticCache, asked
from tests.resilience.moving import MovingClock

ANSWER = Cached("model-a", {"answer": "Paris"}, 1.0).packed()
CAPITAL = "What is the capital of France?"


def near(text) -> list[float]:
    """An embedding by which all texts mean much the same, as a bad model's would."""
    return [1.0, 0.1 * (len(text) % 3)]


def put(cache, text=CAPITAL, partition="p", data=ANSWER, ttl=60.0) -> None:
    """Keep an answer to ``text``."""
    cache.put(asked(Question(partition, text), near), data, ttl)


def find(cache, text, partition="p", threshold=0.9):
    """Its nearest."""
    return cache.find(asked(Question(partition, text), near), threshold)


def test_a_similar_question_finds_the_answer() -> None:
    """With how similar it was."""
    cache = SemanticCache(MovingClock())
    put(cache)
    hit = find(cache, "Which city is the capital of France?")
    assert hit.cached.body == {"answer": "Paris"}
    assert 0.9 <= hit.similarity <= 1
    same = cache.find(asked(Question("p", CAPITAL), near), 1.0)
    assert same.similarity == pytest.approx(1)


def test_another_partition_finds_nothing() -> None:
    """However similar the question."""
    cache = SemanticCache(MovingClock())
    put(cache)
    assert find(cache, CAPITAL, partition="q") is None


def test_one_tenants_answer_is_never_anothers() -> None:
    """At a similarity of 0.9085, or of 1: tenant, system prompt and end user are walls."""
    cache, stored = SemanticCache(MovingClock()), []
    body = {"messages": [{"role": "user", "content": "What is my balance?"}], "user": "one"}
    for tenant in ("bank-1", "bank-2"):
        for more in ({}, {"user": "two"}, {"messages": [{"role": "system"}, *body["messages"]]}):
            found = question(Scope(tenant, "r", ("m",), "chat"), {**body, **more}, "embedder")
            query = asked(found, near)
            assert cache.find(query, 0.9) is None, stored
            stored.append((tenant, more))
            cache.put(query, ANSWER, 60)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is 5 EUR more than 4 USD?", "Is 5 EUR more than 6 USD?"),
        ("Convert 5 EUR to 10 USD", "Convert 10 EUR to 5 USD"),
        ("May I take it with food?", "May I not take it with food?"),
        ("May I take it?", "Mayn't I take it?"),
        ("The train from Paris to London", "The train from London to Paris"),
        ("Write to a@example.com", "Write to b@example.com"),
        ("What changed in v1.2.3?", "What changed in v1.2.4?"),
        ("Summarise /etc/hosts", "Summarise /etc/passwd"),
        ("Is it -5 degrees?", "Is it 5 degrees?"),
        ("What is 2 + 3", "What is 2 * 3 + 1"),
        ("What is 5 - 3", "What is 5 * 3"),
        ("With sugar", "Without sugar"),
        ("Open /etc/Hosts now", "Open /etc/hosts now"),
        ("Run ./build now", "Run /build now"),
        ("Show .profile", "Show profile"),
        (r"List C:\Users", r"List C:\Windows"),
        ("What does ls -a do", "What does ls -A do"),
        ("What does cat -n do", "What does cat -N do"),
        ("Who runs example.com", "Who runs example.org"),
        ("What is 5! exactly", "What is 5 exactly"),
        ("Is .5 enough", "Is 5 enough"),
        ("Where x ≤ y", "Where x ≥ y"),
        ("Is C# fast", "Is C fast"),
        ("What does getUser do", "What does getuser do"),
        ("What is std::Vector", "What is std::vector"),
        ("Run `make Test` now", "Run `make test` now"),
        ("Run ``a `B` c`` now", "Run ``a `b` c`` now"),
        ("Isnt it allowed", "Is it allowed"),
        ("I dont smoke", "I do smoke"),
        ("Is it a non-smoking room?", "Is it a smoking room?"),
        ("Is nothing allowed?", "Is everything allowed?"),
        ("Does it neither burn", "Does it burn"),
        ("Is nobody there", "Is anybody there"),
        ("Ist das nicht erlaubt", "Ist das erlaubt"),
        ("Ist kein Hund erlaubt", "Ist ein Hund erlaubt"),
        ("Ce n\u2019est permis", "C\u2019est permis"),
        ("Est-ce sans sucre", "Est-ce avec sucre"),
        ("¿No está permitido?", "¿Está permitido?"),
        ("Nessuno può entrare", "Tutti possono entrare"),
        ("Isso não é permitido", "Isso é permitido"),
        ("Mag dat niet", "Mag dat"),
    ],
)
def test_what_turns_an_answer_round_is_told_apart(one, other) -> None:
    """Numbers, addresses, code, negations and the order of words, which embeddings hardly see."""
    cache = SemanticCache(MovingClock())
    put(cache, one)
    assert find(cache, other) is None
    assert find(cache, one) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3.5 kg, in pounds?", "what is 3.5 KG in pounds"),
        ("Isn\u2019t that the users' 'own' word?", "ISNT that the user\u2019s own word"),
        ("¿Qué es esto…?", "Qué es esto"),
        ("Well... who is it!", "well, who is it"),
        ("A well-known man", "The well-known man"),
        ("The capital \u2013 of France", "The capital of France"),
        ("**What** is it", "What is it"),
        ("Un cafe\u0301", "Un caf\u00e9"),
        ("法国的首都是哪里\uff1f", "法国的首都是什么\uff1f"),
        ("फ्रांस की राजधानी क्या है?", "फ्रांस की राजधानी कौन सी है?"),
        ("ما هي عاصمة فرنسا؟", "ما عاصمة فرنسا"),
    ],
)
def test_case_and_punctuation_of_words_do_not_matter(one, other) -> None:
    """They mean the same."""
    cache = SemanticCache(MovingClock())
    put(cache, one)
    assert find(cache, other) is not None


def test_the_nearest_of_several_is_taken() -> None:
    """Not the first."""
    cache = SemanticCache(MovingClock())
    for degrees in (20, 3, 10):
        angle = math.radians(degrees)
        vector = [math.cos(angle), math.sin(angle)]
        data = Cached("m", {"degrees": degrees}, 1.0).packed()
        query = asked(Question("p", "word " * degrees), {"word " * degrees: vector}.__getitem__)
        cache.put(query, data, 60)
    hit = cache.find(asked(Question("p", "other"), lambda _: [2.0, 0.0]), 0.9)
    assert hit.cached.body == {"degrees": 3}
    assert hit.similarity == pytest.approx(math.cos(math.radians(3)))


def test_time_and_number_are_bounded() -> None:
    """Old questions make room, and run out."""
    clock = MovingClock()
    cache = SemanticCache(clock)
    for text in ("one", "three", "fiver"):
        cache.put(asked(Question("p", text), near), ANSWER, 60, entries=2)
    assert len(cache._held.values("p")) == 2
    clock.sleep(61)
    assert find(cache, "fiver") is None


def test_vectors_of_another_length_are_not_compared() -> None:
    """An embeddings model may have been changed under its name."""
    cache = SemanticCache(MovingClock())
    put(cache)
    assert cache.find(asked(Question("p", CAPITAL), lambda _: [1.0, 0.0, 0.0]), 0.5) is None


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_an_embedding_without_a_direction_is_none(vector) -> None:
    """Nothing is similar to it."""
    assert asked(Question("p", "text"), lambda _: vector) is None


def test_what_is_no_answer_is_a_miss() -> None:
    """As in the exact cache."""
    cache = SemanticCache(MovingClock())
    put(cache, data=b"broken")
    assert find(cache, CAPITAL) is None


VECTOR = st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(
    lambda vector: math.hypot(*vector) > 0.01
)


@given(VECTOR, VECTOR, st.floats(0.5, 1))
def test_only_what_reaches_the_threshold_is_found(one, other, threshold) -> None:
    """And its similarity is the cosine."""
    cache = SemanticCache(MovingClock())
    cache.put(asked(Question("p", "one"), lambda _: one), ANSWER, 60)
    hit = cache.find(asked(Question("p", "other"), lambda _: other), threshold)
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    cosine = dot / (math.hypot(*one) * math.hypot(*other))
    assert hit is not None if cosine > threshold + 1e-6 else True
    if hit is not None:
        assert cosine >= threshold - 1e-6
        assert math.isclose(hit.similarity, cosine, abs_tol=1e-6)
