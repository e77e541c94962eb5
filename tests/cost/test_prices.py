"""Public prices come from a maintained library, for providers that are known by their address."""

from decimal import Decimal

import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.cost.prices import Library, Rates
from ai_gateway.cost.tokens import Tokens
from tests.resilience.moving import MovingClock

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com/v1"
VERTEX = (
    "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints"
    "/openapi"
)
SOME = Tokens(fresh=1000, answer=100)


@pytest.fixture(scope="module")
def library() -> Library:
    """The real one."""
    pytest.importorskip("genai_prices")
    return Library(SystemClock())


def test_a_known_model_at_its_provider_has_a_price(library) -> None:
    """With its source, so that a record says where it is from."""
    rates = library.rates(OPENAI, "gpt-4o", SOME)
    assert (rates.input, rates.cached, rates.output) == (
        Decimal("2.5"),
        Decimal("1.25"),
        Decimal(10),
    )
    assert rates.source.startswith("genai-prices ")
    assert Rates.parse(rates.stored()) == rates


def test_what_is_written_to_a_cache_has_its_own_price(library) -> None:
    """Five minutes and an hour."""
    rates = library.rates(ANTHROPIC, "claude-sonnet-4-5", SOME)
    assert (rates.cache_write, rates.cache_write_1h) == (Decimal("3.75"), Decimal(6))
    assert rates.cached == Decimal("0.3")


def test_a_long_prompt_falls_into_its_tier(library) -> None:
    """All of it, cached tokens counted too."""
    long = Tokens(fresh=1, cached=200_000)
    rates = library.rates(ANTHROPIC, "claude-sonnet-4-5", long)
    assert (rates.input, rates.output) == (Decimal(6), Decimal("22.5"))


def test_an_embeddings_model_has_no_price_of_output(library) -> None:
    """It has no output either."""
    rates = library.rates(OPENAI, "text-embedding-3-small", Tokens(fresh=10))
    assert (rates.input, rates.output) == (Decimal("0.02"), 0)


def test_a_publisher_before_a_models_name_does_not_hide_its_price(library) -> None:
    """As Vertex AI's OpenAI-compatible address takes a model."""
    plain = library.rates(VERTEX, "gemini-2.5-flash", SOME)
    assert plain is not None
    assert library.rates(VERTEX, "google/gemini-2.5-flash", SOME) == plain
    assert library.look_up(VERTEX, "google/gemini-2.5-flash")(SOME) == plain


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("https://ml-1234.cloudera.site/namespaces/serving/endpoints/llama/v1", "gpt-4o"),
        ("http://127.0.0.1:8000/v1", "gpt-4o"),
        ("https://models.example/v1", "gpt-4o"),
        (OPENAI, "no-such-model"),
        (OPENAI, "google/no-such-model"),
        (VERTEX, "meta/llama-3.3-70b-instruct-maas"),
    ],
)
def test_nobody_elses_model_has_a_public_price(library, url, model) -> None:
    """A name alone says nothing: the same model on an own machine costs something else."""
    assert library.rates(url, model, SOME) is None


def test_without_the_package_there_are_no_public_prices() -> None:
    """It is an extra."""
    assert Library(SystemClock(), "no_such_package").rates(OPENAI, "gpt-4o", SOME) is None


def test_a_look_up_is_kept_for_a_minute() -> None:
    """A request costs no search through all providers; a price that changed is seen soon."""
    asked = []

    class Counting(Library):
        def _look_up(self, url, model_id):
            asked.append((url, model_id))
            return None, ""

    clock = MovingClock()
    counting = Counting(clock)
    for _ in range(3):
        counting.rates(OPENAI, "gpt-4o", SOME)
    assert len(asked) == 1
    clock.sleep(61)
    counting.rates(OPENAI, "gpt-4o", SOME)
    assert len(asked) == 2


def test_what_may_be_public_is_looked_up_before_a_request(library) -> None:
    """Nothing is for an address in numbers, or a name of somebody's own network."""
    found = library.look_up(OPENAI, "gpt-4o")
    assert found is not None
    assert found(SOME) == library.rates(OPENAI, "gpt-4o", SOME)
    assert library.look_up(OPENAI, "no-such-model") is None
    private = Library(SystemClock())
    for url in ("http://10.0.0.7:8000/v1", "http://[::1]/v1", "http://vllm:8000/v1"):
        assert private.look_up(url, "gpt-4o") is None
    assert not private._known


def test_a_model_that_is_not_priced_by_tokens_has_no_price() -> None:
    """One that is paid by the image is not free."""

    class ByImage(Library):
        def _look_up(self, url, model_id):
            return object(), "somewhere"

    assert ByImage(SystemClock()).rates(OPENAI, "painter", SOME) is None
