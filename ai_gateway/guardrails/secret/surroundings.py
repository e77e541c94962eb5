"""Keys without a mark of their own, known by the words that stand before them."""

from __future__ import annotations

from dataclasses import replace

from ai_gateway.guardrails.secret.doubt import mixed
from ai_gateway.guardrails.secret.rule import HEX, URL64, Rule, named

_BASE64 = "[0-9A-Za-z+/]"
_UUID = "-".join(f"{HEX}{{{count}}}" for count in (8, 4, 4, 4, 12))
_STANDARD, _URL = "0-9A-Za-z+/", "0-9A-Za-z_-"

RULES: tuple[Rule, ...] = (
    replace(
        named(
            "aws-secret-key",
            r"(?i)(?:\b|_)aws|secret.?access",
            _STANDARD,
            f"{_BASE64}{{40}}",
            ("aws", "secret_access", "secretaccess", "secret access"),
        ),
        judge=mixed,
    ),
    named(
        "azure-storage-key",
        "(?i)account.?key|azure|storage.?key",
        _STANDARD,
        f"{_BASE64}{{86}}==",
        ("accountkey", "account_key", "account-key", "azure", "storage"),
    ),
    Rule("azure-sas", "(?i)[?&]sig=", r"(?i:[?&]sig=)([0-9A-Za-z%+/]{43,90}(?:=|%3[Dd]))"),
    Rule(
        "cloudera-key",
        "(?i)cdp.?private.?key",
        rf"(?i:cdp.?private.?key)\W{{1,6}}({_BASE64}{{43}}=)",
    ),
    named(
        "cloudflare-token",
        "(?i)cloudflare|cf_api",
        _URL,
        f"{URL64}{{40}}|{HEX}{{37}}",
        ("cloudflare", "cf_api"),
    ),
    named("okta-token", "(?i)okta|ssws", _URL, f"00{URL64}{{40}}", ("okta", "ssws")),
    named(
        "heroku-key",
        "(?i)heroku.?(?:api.?)?key",
        _URL,
        _UUID,
        ("heroku_api_key", "heroku-api-key", "herokuapikey", "heroku api key", "heroku_key"),
    ),
    named("twilio-key", "(?i)twilio", _URL, f"{HEX}{{32}}", ("twilio",)),
)
