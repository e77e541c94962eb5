"""Between Anthropic's Messages API and OpenAI's chat completions; docs/translation.md has tables.

Files are named for what they build: ``chat_*`` from the Messages API, ``messages_*`` from chat.
"""

from __future__ import annotations

from ai_gateway.translate import Translation
from ai_gateway.translate.anthropic import (
    chat_answer,
    chat_request,
    chat_stream,
    messages_answer,
    messages_request,
    messages_stream,
)

#: A caller of the Messages API, served by a chat completions model.
MESSAGES_TO_CHAT = Translation(
    request=chat_request.request,
    answer=messages_answer.answer,
    stream=messages_stream.stream,
)

#: A caller of chat completions, served by a Messages model.
CHAT_TO_MESSAGES = Translation(
    request=messages_request.request,
    answer=chat_answer.answer,
    stream=chat_stream.stream,
)
