"""A gateway's stand-in: what the runner does with the server, as a process of its own."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from typing import Any

from ai_gateway.hosting import ServerOptions, serve, supervise


def app(environ: dict[str, Any], start: Any) -> list[bytes]:
    """Say who answered, after as many seconds as the query wants."""
    time.sleep(float(environ["QUERY_STRING"] or 0))
    body = str(os.getpid()).encode()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def say(word: str) -> None:
    """One line for the test."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> int:
    """Serve, or supervise those who do."""
    logging.basicConfig(level=logging.WARNING)
    arguments = argparse.ArgumentParser()
    arguments.add_argument("options", type=json.loads)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--worker", type=int, default=0)
    arguments.add_argument("--control", type=int)
    arguments.add_argument("--broken", action="store_true")
    given = arguments.parse_args()
    options = ServerOptions(port=given.port, control=given.control, **given.options)
    if given.workers > 1 and given.control is None:
        return supervise([sys.executable, *sys.argv], given.workers, options, ready=say)
    if given.broken:
        return 3
    return serve(
        app,
        options,
        ready=say,
        stopping=lambda: say("stopping"),
        on_hangup=lambda: say("hangup"),
    )


if __name__ == "__main__":
    sys.exit(main())
