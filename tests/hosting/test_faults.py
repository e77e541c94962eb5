"""What goes wrong, on whichever side, ends one connection, and leaves nothing behind."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from tests.hosting.conftest import head, running


def everything(caller: socket.socket) -> bytes:
    """All that comes until the connection ends, which it must."""
    with caller.makefile("rb") as stream:
        return stream.read()


def ok(_environ: dict[str, Any], start: Any) -> list[bytes]:
    """Answer anything."""
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def test_a_stop_waits_for_the_handler_of_a_caller_who_left() -> None:
    """It may have a record to write, which would be lost with its thread."""
    entered, recorded = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        left = threading.Event()
        environ["gateway.disconnected"].add_callback(left.set)
        entered.set()
        left.wait(5)
        time.sleep(0.6)
        recorded.set()
        return ok(environ, start)

    with running(app) as server:
        with server.connect() as caller:
            caller.sendall(head("GET", "/"))
            assert entered.wait(2)
        time.sleep(0.1)
        server.server.stop()
        assert server.exits.get(timeout=5) == 0
        assert recorded.is_set()
