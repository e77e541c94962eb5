"""Who serves whom stands on a page, and is what the code does."""

import re
from typing import Any

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

#: Reasoning that no model of Anthropic's made: sealed, thought in parts, unsigned.
FOREIGN = [
    {"type": "redacted_thinking", "data": "google.thought_signature;c1;AA"},
    {"type": "thinking", "thinking": "x", "signature": "content.thinking"},
    {"type": "thinking", "thinking": "x", "signature": ""},
]
BODY: dict[str, Any] = {
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


@pytest.mark.parametrize("form", [MESSAGES, COUNT_TOKENS])
def test_a_model_of_anthropics_gets_its_own_reasoning_alone(form: Format) -> None:
    """It would refuse what another provider's thought earlier in a conversation."""
    own = [
        {"type": "thinking", "thinking": "x", "signature": "AA=="},
        {"type": "text", "text": "Hi"},
    ]
    body = {"messages": [{"role": "assistant", "content": [*FOREIGN, *own]}, *BODY["messages"]]}
    sent = spoken(form, body, "anthropic", 0)
    assert sent.body["messages"] == [{"role": "assistant", "content": own}, *BODY["messages"]]
    assert sent.asked is body
    assert spoken(form, BODY, "anthropic", 0).body is BODY
    for odd in ({"messages": "x"}, {"messages": ["x", {"content": FOREIGN}, {"content": ["x"]}]}):
        assert spoken(form, odd, "anthropic", 0).body is odd
