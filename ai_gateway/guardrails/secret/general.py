"""Secrets of no one issuer: private keys, web tokens, passwords in addresses and headers."""

from __future__ import annotations

from functools import partial

import re2

from ai_gateway.guardrails.secret import checksum
from ai_gateway.guardrails.secret.doubt import (
    CERTAIN,
    is_filler,
    password,
    unguessable,
)
from ai_gateway.guardrails.secret.rule import Rule, shaped

_PEM = "-{4,5} ?(?:{side}) (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
_SPACE = r"(?:\s|\\[nrt]|[\"'+,>|])*"
_BASE64 = "[0-9A-Za-z+/]"
#: Lines of base64 behind headers, also where line ends are escaped and where the text ends within.
_LINES = (
    rf"(?:{_SPACE}[A-Z][A-Za-z-]+: [^\r\n\\]*)*(?:{_SPACE}[0-9A-Za-z+/=]{{16,}})+"
    rf"(?:(?:[\r\n]|\\[nr])+(?:{_BASE64}{{4}})*(?:{_BASE64}{{3}}=|{_BASE64}{{2}}==|={_BASE64}{{4}}\b))*"
)
_ENCODED = re2.compile(r"[0-9A-Za-z+/]{40}|[0-9A-Za-z+/]{16,}(?:\s|\\[nrt])")

_DATABASES = (
    "(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|db2"
    "|cockroachdb|snowflake|redshift|hive|impala|neo4j|bolt|nats|kafka|ldaps?)"
)
#: ``//user:`` and a password up to the last @ before the host.
_USER_INFO = r"://[^\s:/@?#\"'<>]*:([^\s/\"'<>]+)@[\w.\[-]"


def _key_block(block: str) -> float:
    return 0.0 if is_filler(block[:400]) or not _ENCODED.search(block) else CERTAIN


def rules() -> tuple[Rule, ...]:
    """The rules, the most telling first."""
    begin, end = _PEM.replace("{side}", "BEGIN"), _PEM.replace("{side}", "END")
    whole = f"(?:[^-]|-[^-])*?{end}"
    return (
        Rule("private-key", "PRIVATE KEY", f"({begin}(?:{whole}|{_LINES}))", judge=_key_block),
        shaped(
            "jwt",
            "eyJ",
            r"eyJ[\w-]{8,}[.][\w-]{8,}[.][\w-]{20,}(?:[.][\w-]+[.][\w-]+)?",
            checksum.jwt,
        ),
        Rule("connection-string", "://", rf"(?i){_DATABASES}(?:\+\w+)?{_USER_INFO}", 0.9, password),
        Rule(
            "connection-string",
            "(?i)jdbc:",
            r"(?i)jdbc:[^\s\"']*?[?&;]password=([^&;\s\"']+)",
            0.9,
            password,
        ),
        Rule(
            "connection-string",
            "(?i)(?:password|pwd)=",
            r"(?i)(?:server|data source|host|user id|uid)=[^\"'\r\n]*?"
            r";\s?(?:password|pwd)=([^;\"'\r\n]+)",
            0.9,
            password,
        ),
        Rule("url-password", "://", rf"[A-Za-z][A-Za-z0-9+.-]*{_USER_INFO}", 0.9, password),
        Rule(
            "url-password",
            "(?i)curl",
            r"\bcurl\s(?:[^\r\n|]*?\s)?(?:-u|--user)[\s=]?[\"']?[^\s:\"']+:([^\s\"']+)",
            0.9,
            password,
        ),
        Rule(
            "authorization-header",
            r"(?i)(?:bearer|basic|authorization:\s?token)\s+[0-9a-z._~+/-]{12}",
            r"(?i)\b(?:bearer|basic|authorization:\s?token)\s{1,4}([0-9a-z._~+/-]{12,}={0,2})",
            0.8,
            partial(unguessable, bits=3.0),
        ),
    )
