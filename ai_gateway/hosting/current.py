"""The application in force, which a reload swaps whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Current:
    """A WSGI application that stands for another. A request keeps the one that it began with."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        # Who joins a base URL that ends in / and a path that begins with one asks for two.
        environ["PATH_INFO"] = f"/{environ['PATH_INFO'].lstrip('/')}"
        return self.app(environ, start_response)
