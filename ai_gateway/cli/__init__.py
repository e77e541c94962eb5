"""The command line of a running gateway: ``ai-gateway-cli``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from ai_gateway.cli.options import parse
from ai_gateway.client import GatewayError

#: As a shell has it: 128 and the number of SIGINT.
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 done, 1 refused or failed, 2 (by argparse) not understood, 130 Ctrl-C."""
    command = parse(arguments)
    try:
        command()
    except GatewayError as error:
        told = [error.status, error.code, error.request_id]
        more = ", ".join(str(each) for each in told if each)
        return _failed(f"{error.message} [{more}]" if more else error.message)
    except ValueError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever reads has seen enough, as in `logs -f | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _failed(f"{error.filename or 'output'}: {error.strerror}")
    return 0


def _failed(message: str) -> int:
    sys.stderr.write(f"Error: {message}\n")
    return 1
