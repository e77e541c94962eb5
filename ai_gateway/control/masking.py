"""What is shown or kept of a value that may hold secrets."""

from __future__ import annotations

from typing import Any, Final

MASK: Final = "***"
#: What holds a secret wherever it stands; in the bundle it is only ever below ``credentials``.
_SECRET: Final = frozenset(
    {"credentials", "token", "secret", "client_secret", "password", "key", "api_key", "apikey"}
)


def masked(value: Any) -> Any:
    """``value`` with all that stands below a key for secrets replaced; the keys stay."""
    if isinstance(value, dict):
        return {
            key: _hidden(each) if str(key).lower() in _SECRET else masked(each)
            for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [masked(each) for each in value]
    return value


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(each) for each in value]
    return value if value is None else MASK
