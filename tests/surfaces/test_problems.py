"""Errors as each API's SDKs read them."""

import pytest

from ai_gateway.errors import UpstreamRefused
from ai_gateway.problems import SHAPES


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (404, "not_found_error"), (422, "invalid_request_error")],
)
def test_what_a_model_does_not_know_is_not_found(status: int, kind: str) -> None:
    """LiteLLM takes any invalid_request_error for a BadRequestError, whatever its status."""
    error = UpstreamRefused("No such model.", status)
    assert SHAPES["openai"](error)["error"]["type"] == kind
    assert SHAPES["anthropic"](error)["error"]["type"] == kind
