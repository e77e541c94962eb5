"""Tokens of services that send messages, take money and keep pages."""

from __future__ import annotations

from ai_gateway.guardrails.secret import checksum
from ai_gateway.guardrails.secret.rule import BEGIN, HEX, MORE, URL64, WORD, Rule, shaped, token

_SLACK = "https://hooks[.]slack[.]com/(?:services|workflows|triggers)/"
_DISCORD = "https://(?:\\w+[.])?discord(?:app)?[.]com/api/webhooks/"

RULES: tuple[Rule, ...] = (
    shaped("slack-token", "xox[abeoprs]-", "xox[abeoprs]-(?:[0-9A-Za-z]+-)+[0-9A-Za-z]{16,}"),
    shaped("slack-token", "xapp-", "xapp-[0-9]-A[0-9A-Z]+-[0-9]+-[0-9a-f]{60,}"),
    shaped(
        "slack-webhook", "hooks[.]slack", f"{_SLACK}[0-9A-Z]{{8,12}}/[0-9A-Z]{{8,12}}/{WORD}{{20,}}"
    ),
    shaped("discord-webhook", "api/webhooks", f"{_DISCORD}[0-9]{{17,20}}/{URL64}{{60,}}"),
    shaped(
        "discord-token",
        f"[.]{URL64}{{6}}[.]",
        f"[MNO][0-9A-Za-z]{{22,27}}[.]{URL64}{{6}}[.]{URL64}{{27,38}}",
        checksum.discord,
    ),
    # Its API has "bot" right before it, in every address.
    Rule(
        "telegram-token",
        ":AA",
        f"(?:{BEGIN}|/bot)([0-9]{{8,10}}:AA{URL64}{{33}})",
        barred=MORE,
    ),
    token("twilio-key", "SK", f"{HEX}{{32}}", hint="SK[0-9a-f]"),
    token("sendgrid-key", "SG[.]", f"{URL64}{{22}}[.]{URL64}{{43}}"),
    token("mailgun-key", "key-", f"{HEX}{{32}}"),
    token("mailchimp-key", f"{HEX}{{32}}-us", "[0-9]{1,2}", hint="-us[0-9]"),
    token("stripe-key", "[sr]k_live_", f"{WORD}{{24,}}"),
    token("stripe-webhook-secret", "whsec_", f"{WORD}{{32,64}}"),
    token("shopify-token", "shp(?:at|ca|pa|ss)_", "[0-9a-fA-F]{32}"),
    token("square-token", "sq0atp-", f"{URL64}{{22}}"),
    token("square-token", "sq0csp-", f"{URL64}{{43}}"),
    token("square-token", "EAAA", f"{URL64}{{60}}"),
    token("notion-token", "secret_", f"{WORD}{{43}}"),
    token("notion-token", "ntn_", f"[0-9]{{10,12}}{WORD}{{34,36}}"),
    token("airtable-token", "pat", f"{WORD}{{14}}[.]{HEX}{{64}}", hint=f"[.]{HEX}{{8}}"),
)
