"""Webhooks: events of the gateway, signed and delivered to the receivers that `callback:` names.

An event goes top to bottom: ``messages`` says what is told, ``hooks`` writes it to disk and puts it
into one of the ``lanes``, ``sender`` signs it (``signing``) and sends it, and what no receiver took
becomes one of the dead ``letters``. Nothing here is loaded where no callback is declared but
``declared`` and ``receivers``.
"""
