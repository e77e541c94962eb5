"""What Anthropic's wire has beside its bodies: a version in a header, and features by name.

https://platform.claude.com/docs/en/api/versioning and .../beta-headers
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ai_gateway.errors import BadRequest

KEY_HEADER = "x-api-key"

_VERSION_HEADER, _BETA_HEADER = "anthropic-version", "anthropic-beta"
#: The caller's headers that are Anthropic's own.
OWN = (_VERSION_HEADER, _BETA_HEADER)

#: What is asked for where the caller asks for none; translations are written against it.
_VERSION = "2023-06-01"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BETA = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}", re.ASCII)
_MOST = 50  # features of one request

#: Features that reach beyond the request: files and skills lie in the operator's one account, where
#: one caller could name another's, and servers would be called that only the caller has seen.
_BARRED = ("files-api-", "mcp-client-", "skills-")


def headers(given: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers of a request whose caller sent ``given`` (their names in lower case).

    Raises BadRequest for a version or feature that is none, and for one that is not passed on.
    """
    version = given.get(_VERSION_HEADER, _VERSION).strip()
    if not _DATE.fullmatch(version):
        raise BadRequest(f"{_VERSION_HEADER}: a date was expected, such as {_VERSION}")
    found = [(_VERSION_HEADER.encode(), version.encode())]
    betas = _betas(given.get(_BETA_HEADER, ""))
    if betas:
        found.append((_BETA_HEADER.encode(), ",".join(betas).encode()))
    return found


def _betas(text: str) -> list[str]:
    named = [name for part in text.split(",") if (name := part.strip())]
    for name in named:
        if not _BETA.fullmatch(name) or len(named) > _MOST:
            raise BadRequest(f"{_BETA_HEADER}: names of features were expected, comma between")
        if name.startswith(_BARRED):
            reason = "it reaches what other callers keep, or servers that only you know"
            raise BadRequest(f"{_BETA_HEADER}: {name} is not passed on: {reason}")
    return named
