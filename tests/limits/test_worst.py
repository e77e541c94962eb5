"""The worst that a call may come to is at least what any answer to it can be."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.answer.places import places
from ai_gateway.clock import SystemClock
from ai_gateway.cost.charge import cost
from ai_gateway.cost.declared import Price
from ai_gateway.cost.prices import Library, declared
from ai_gateway.cost.tokens import Tokens
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.formats.embeddings import EMBEDDINGS
from ai_gateway.formats.images import IMAGES
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.formats.responses import RESPONSES
from ai_gateway.formats.tokens import COUNT_TOKENS
from ai_gateway.limits.plan import BILLION
from ai_gateway.limits.worst import LIMITS, Prices, tokens_in, tokens_out
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import request

ASKED = {"messages": [{"role": "user", "content": "What is GRPO?"}]}


def test_the_fields_are_those_that_are_sent() -> None:
    """What limits an answer here is what the upstream is told."""
    forms = {form.name: form.path for form in (CHAT, COMPLETIONS, MESSAGES, RESPONSES)}
    assert {forms[name]: fields for name, fields in LIMITS.items()} == request._LIMITS


@pytest.mark.parametrize(
    ("form", "body", "most", "assumed", "wanted"),
    [
        (CHAT, {}, 100, None, 100),
        (CHAT, {}, None, 50, 50),
        (CHAT, {}, None, None, 0),
        (CHAT, {"max_tokens": 10}, 100, 50, 10),
        (CHAT, {"max_tokens": 10}, None, 50, 10),
        (CHAT, {"max_tokens": 1000}, 100, 50, 100),
        (CHAT, {"max_tokens": 10, "max_completion_tokens": 20}, 100, None, 20),
        (CHAT, {"max_tokens": 0}, 100, None, 100),
        (CHAT, {"max_tokens": -1}, 100, None, 100),
        (CHAT, {"max_tokens": True}, 100, None, 100),
        (CHAT, {"max_tokens": "9"}, 100, None, 100),
        (CHAT, {"max_tokens": 9.5}, None, 50, 10),
        (CHAT, {"max_tokens": math.inf}, None, 50, 50),
        (CHAT, {"max_output_tokens": 1}, 100, None, 100),
        (CHAT, {"n": 3}, 100, None, 300),
        (CHAT, {"max_tokens": 2**52, "n": 2**52}, None, None, 2**53 - 1),
        (COMPLETIONS, {"n": 2, "best_of": 5, "prompt": "a"}, 10, None, 50),
        (COMPLETIONS, {"prompt": ["a", "b"]}, 10, None, 20),
        (COMPLETIONS, {"prompt": []}, 10, None, 10),
        (MESSAGES, {"max_tokens": 7}, 10, None, 7),
        (RESPONSES, {"max_output_tokens": 7}, 10, None, 7),
        (EMBEDDINGS, {"input": "a"}, 10, 5, 0),
        (COUNT_TOKENS, ASKED, 10, 5, 0),
        (IMAGES, {"prompt": "a"}, None, 5, 5),
        (IMAGES, {"prompt": "a", "n": 2}, 10, 5, 20),
    ],
)
def test_tokens_of_an_answer(form, body, most, assumed, wanted) -> None:
    """What the caller allows, within what the model declares, as often as he asks."""
    assert tokens_out(form, body, most, assumed) == wanted


def content(*parts):
    """A message of parts."""
    return {"messages": [{"role": "user", "content": [*parts]}]}


@pytest.mark.parametrize(
    ("form", "body", "least"),
    [
        (CHAT, ASKED, 11),
        (CHAT, {**ASKED, "tools": [{"type": "function", "function": {"name": "f" * 400}}]}, 111),
        (CHAT, content({"type": "image_url", "image_url": {"url": "data:"}}), 1600),
        (CHAT, {"messages": [{"role": "user", "content": None}]}, 3),
        (MESSAGES, content({"type": "tool_result", "content": [{"type": "image"}]}), 1600),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, 1600),
        (RESPONSES, {"input": "a" * 400}, 100),
        (EMBEDDINGS, {"input": [[1, 2, 3], [4, 5]]}, 5),
    ],
)
def test_tokens_of_a_request(form, body, least) -> None:
    """Texts, what is defined, pictures, and tokens that the caller counted himself."""
    assert least <= tokens_in(form, body, form.texts(body)) < least + 30


def test_a_count_of_tokens_is_free() -> None:
    """It asks for nothing that is paid."""
    assert tokens_in(COUNT_TOKENS, ASKED, COUNT_TOKENS.texts(ASKED)) == 0


MONEY = st.floats(0, 1000, allow_nan=False).map(lambda value: round(value, 4))


@given(
    price=st.builds(
        Price,
        input=MONEY,
        output=MONEY,
        cached=st.none() | MONEY,
        cache_write=st.none() | MONEY,
        cache_write_1h=st.none() | MONEY,
        reasoning=st.none() | MONEY,
    ),
    parts=st.lists(st.integers(0, 100_000), min_size=6, max_size=6),
)
def test_no_split_of_the_tokens_costs_more(price, parts) -> None:
    """However many of them are cached, written or thought."""
    counted = Tokens(*parts)
    model = Model(url="http://m/v1", model_id="m", price=price)
    prices = Prices.of(places({"m": model}), Library(SystemClock()))
    most = prices.most("m", counted.input, counted.output)
    assert Decimal(most) >= cost(counted, declared(price)) * BILLION
    assert "m" in prices


def test_public_prices_are_those_of_the_dearest_endpoint() -> None:
    """A model that is nowhere priced has none, nor one of whose endpoints one is not."""
    public = "https://api.openai.com/v1"
    known = Model(url=public, model_id="gpt-4o")
    half = Model(url=public, model_id="gpt-4o", endpoints=({"url": "http://10.0.0.1/v1"},))
    other = {"url": f"{public}/x", "model_id": "gpt-4o"}
    dear = Model(url=public, model_id="gpt-4o-mini", endpoints=(other,))
    prices = Prices.of(places({"a": known, "b": half, "c": dear}), Library(SystemClock()))
    assert ("a" in prices, "b" in prices, "c" in prices) == (True, False, True)
    assert prices.most("c", 1000, 1000) == prices.most("a", 1000, 1000) > 0
    with pytest.raises(LookupError):
        prices.most("b", 1, 1)


def test_a_price_that_is_lost_lets_nothing_through() -> None:
    """A library that knows a model no longer is no reason to give it away."""
    prices = Prices({}, {"m": (lambda _: None,)})
    with pytest.raises(LookupError):
        prices.most("m", 1, 1)
