"""The page says what the translation does."""

import pytest

from ai_gateway.translate.responses.request import CHATS_OWN, NOT_PASSED, REFUSED
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "translation-responses.md").read_text()


@pytest.mark.parametrize("name", sorted({*REFUSED, *CHATS_OWN, *NOT_PASSED}))
def test_every_parameter_that_does_not_just_pass_is_on_the_page(name: str) -> None:
    """Whoever is refused finds why, and whoever is translated finds how."""
    assert f"`{name}" in PAGE
