"""``python -m ai_gateway.cli``, where the command is not installed."""

import sys

from ai_gateway.cli import main

sys.exit(main())
