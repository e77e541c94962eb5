"""Who serves whom stands on a page, and is what the code does."""

import re

import pytest

from ai_gateway.errors import BadRequest
from ai_gateway.formats import Format
from ai_gateway.formats.audio import SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from ai_gateway.formats.chat import CHAT
from ai_gateway.formats.completions import COMPLETIONS
from ai_gateway.formats.embeddings import EMBEDDINGS
from ai_gateway.formats.images import IMAGE_EDITS, IMAGE_VARIATIONS, IMAGES
from ai_gateway.formats.infer import INFER
from ai_gateway.formats.messages import MESSAGES
from ai_gateway.formats.rerank import RANKING, RERANK
from ai_gateway.formats.responses import RESPONSES
from ai_gateway.formats.tokens import COUNT_TOKENS
from ai_gateway.translate.table import spoken
from tests.conftest import ROOT

BODY = {
    "messages": [{"role": "user", "content": "a"}],
    "max_tokens": 9,
}
ROWS: dict[str, tuple[Format, ...]] = {
    "chat completions": (CHAT,),
    "Messages": (MESSAGES,),
    "`count_tokens`": (COUNT_TOKENS,),
    "Responses": (RESPONSES,),
    "completions, embeddings, ranking, pictures, sound": (
        *(COMPLETIONS, EMBEDDINGS, RERANK, RANKING, IMAGES, IMAGE_EDITS, IMAGE_VARIATIONS),
        *(SPEECH, TRANSCRIPTIONS, TRANSLATIONS),
    ),
    "tensors": (INFER,),
}
DIALECTS = ("openai", "anthropic", "oip")


def how(form: Format, dialect: str) -> str:
    """In the page's words."""
    body = {"input": "a"} if form is RESPONSES else BODY
    try:
        found = spoken(form, body, dialect, 0)
    except BadRequest as error:
        return f"400{'' if error.param == 'model' else ' of another field'}"
    if found.own is not None:
        return "estimated"
    return "translated" if found.translation else "as it is"


@pytest.mark.parametrize("caller", ROWS)
def test_the_page_says_who_serves_whom(caller: str) -> None:
    """Each cell of the table is what a caller meets."""
    page = (ROOT / "docs" / "api.md").read_text()
    row = re.search(rf"^\| {re.escape(caller)} \|(.*)\|$", page, re.MULTILINE)
    assert row
    told = [cell.strip() for cell in row[1].split("|")]
    for form in ROWS[caller]:
        assert [how(form, dialect) for dialect in DIALECTS] == told, form.name
