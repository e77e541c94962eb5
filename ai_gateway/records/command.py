"""The tables as commands open them."""

from __future__ import annotations

from ai_gateway.clock import Clock
from ai_gateway.records.keyring import Keyring
from ai_gateway.records.store import Records
from ai_gateway.settings import Settings


def opened(settings: Settings, clock: Clock) -> Records:
    """The tables of ``settings``: nothing is moved unless the command asks for that.

    Ends the process with one line where the key that they are encrypted with is none.
    """
    keyring = Keyring.for_command(settings.encryption)
    return Records.open(settings.data, settings.wal, clock, background=False, keyring=keyring)
