"""Keys of clouds and of what runs in them."""

from __future__ import annotations

from ai_gateway.guardrails.secret.rule import HEX, URL64, WORD, Rule, shaped, token

RULES: tuple[Rule, ...] = (
    token("aws-access-key-id", "(?:AKIA|ASIA|ABIA|ACCA)", "[A-Z2-7]{16}"),
    token("google-api-key", "AIza", f"{URL64}{{35}}"),
    token("google-oauth-secret", "GOCSPX-", f"{URL64}{{28}}"),
    shaped("google-access-token", "ya29[.]", f"ya29[.]{URL64}{{40,}}"),
    shaped("azure-client-secret", "[78]Q~", rf"{WORD}[\w~.-]{{2}}[78]Q~[\w~.-]{{30,33}}{WORD}"),
    token("digitalocean-token", "do[opr]_v1_", f"{HEX}{{64}}"),
    token("databricks-token", "dapi", f"{HEX}{{32}}(?:-[0-9])?"),
    token("heroku-key", "HRKU-AA", f"{URL64}{{58}}"),
    shaped("vault-token", "hv[sbr][.]", f"hv[sbr][.]{URL64}{{24,}}"),
    shaped("terraform-token", "[.]atlasv1[.]", f"{WORD}{{14}}[.]atlasv1[.]{URL64}{{60,}}"),
    token("pulumi-token", "pul-", f"{HEX}{{40}}"),
)
