"""The command line of a running gateway: ``ai-gateway-cli``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ai_gateway.cli.options import parse
from ai_gateway.client import GatewayError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 done, 1 refused or failed, 2 (by argparse) not understood."""
    command = parse(arguments)
    try:
        command()
    except GatewayError as error:
        told = [error.status, error.code, error.request_id]
        more = ", ".join(str(each) for each in told if each)
        return _failed(f"{error.message} [{more}]" if more else error.message)
    except ValueError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or 'output'}: {error.strerror}")
    return 0


def _failed(message: str) -> int:
    sys.stderr.write(f"Error: {message}\n")
    return 1
