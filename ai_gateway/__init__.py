"""What the functions of the gateway share; knows neither Flask, nor Panel, nor the functions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_gateway.client import AI_Gateway, AsyncAI_Gateway

__all__ = ["AI_Gateway", "AsyncAI_Gateway"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The clients, imported when asked for: a gateway does without them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ai_gateway import client  # noqa: PLC0415 - a gateway does without the clients

    return getattr(client, name)
