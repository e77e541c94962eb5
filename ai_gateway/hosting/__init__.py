"""The production server: an event loop for the sockets, threads for a WSGI application."""

from ai_gateway.hosting.current import Current
from ai_gateway.hosting.options import ServerOptions
from ai_gateway.hosting.refusals import Refusal
from ai_gateway.hosting.server import Server, serve
from ai_gateway.hosting.supervisor import supervise

__all__ = ["Current", "Refusal", "Server", "ServerOptions", "serve", "supervise"]
