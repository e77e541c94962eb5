"""Keys of those who serve models, this gateway's own among them."""

from __future__ import annotations

from ai_gateway.access.keys import MARK
from ai_gateway.guardrails.secret.rule import HEX, URL64, WORD, Rule, shaped, token

#: OpenAI writes its name, in base64, into the middle of its keys.
_OPENAI = "T3BlbkFJ"

RULES: tuple[Rule, ...] = (
    token("ai-gateway-key", MARK, f"{WORD}{{8}}_{WORD}{{43}}"),
    token("anthropic-key", "sk-ant-", f"[a-z]{{2,8}}[0-9]{{2}}-{URL64}{{93}}AA"),
    token("openrouter-key", "sk-or-v1-", f"{HEX}{{64}}"),
    shaped("openai-key", "sk-", f"sk-(?:[a-z]+-)?{URL64}{{20,}}{_OPENAI}{URL64}{{20,}}"),
    token("huggingface-token", "hf_", "[A-Za-z]{34}"),
    token("huggingface-token", "api_org_", "[A-Za-z]{34}"),
    token("nvidia-key", "nvapi-", f"{URL64}{{64}}"),
    token("groq-key", "gsk_", f"{WORD}{{52}}"),
    token("xai-key", "xai-", f"{WORD}{{80}}"),
    token("perplexity-key", "pplx-", f"{WORD}{{48,56}}"),
    token("replicate-token", "r8_", f"{WORD}{{37}}"),
    token("langsmith-key", "lsv2_", f"(?:pt|sk)_{HEX}{{32}}_{HEX}{{10}}"),
)
