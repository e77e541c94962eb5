"""What an operator writes about failing upstreams."""

import pydantic
import pytest

from ai_gateway.resilience import Breaker, ColdStart, Concurrency, Fallback, Retries, Shadow


def test_kinds_are_written_as_in_yaml() -> None:
    """A status is a number there, and one kind needs no list."""
    found = Retries.model_validate({"on": ["connect", 429, "5xx", "cold-start"]})
    assert found.on == ("connect", "429", "5xx", "cold-start")
    assert Retries.model_validate({"on": 503}).on == ("503",)
    assert Fallback.model_validate({"models": "model-b"}).models == ("model-b",)


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Retries, {"on": ["sometimes"]}),
        (Retries, {"on": [True]}),
        (Retries, {"on": ["600"]}),
        (Retries, {"attempts": 0}),
        (Retries, {"backoff": "0s"}),
        (Fallback, {"models": []}),
        (Breaker, {"failures": 0}),
        (Concurrency, {"limit": 0}),
        (ColdStart, {"every": "10s", "at_most": "5s"}),
        (Shadow, {"model": "model-b", "share": 0}),
        (Shadow, {"model": "model-b", "percent": 5}),
    ],
)
def test_what_cannot_be_is_refused(model, given) -> None:
    """A kind, number or key that has no meaning does not start."""
    with pytest.raises(pydantic.ValidationError):
        model.model_validate(given)


def test_each_has_a_schema() -> None:
    """What the editor is told says which kinds there are."""
    schema = Retries.model_json_schema()
    assert "cold-start" in str(schema["properties"]["on"])
