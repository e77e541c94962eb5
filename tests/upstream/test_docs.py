"""docs/upstreams.md names what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_gateway.manifest.credentials import Aws, Credentials, Google
from ai_gateway.manifest.model import Model, Timeout

PAGE = Path(__file__).parents[2] / "docs" / "upstreams.md"


@pytest.mark.parametrize(
    "name",
    [name for part in (Model, Credentials, Aws, Google, Timeout) for name in part.model_fields],
)
def test_every_setting_is_documented(name: str) -> None:
    """Each field of a model, its credentials and its timeouts stands on the page."""
    assert name in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"]
)
def test_every_variable_is_documented(name: str) -> None:
    """Each variable that is read stands on the page."""
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")
