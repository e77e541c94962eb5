"""A caller of the Responses API, served by a model that speaks chat completions.

Stateless: each request says all that the model shall know. What chat completions cannot say is a
BadRequest that names it; what is left out on purpose stands in docs/translation-responses.md.
"""

from __future__ import annotations

from ai_gateway.translate import Translation
from ai_gateway.translate.responses.answer import answer
from ai_gateway.translate.responses.request import request
from ai_gateway.translate.responses.stream import stream

RESPONSES_TO_CHAT = Translation(request=request, answer=answer, stream=stream)

__all__ = ["RESPONSES_TO_CHAT"]
