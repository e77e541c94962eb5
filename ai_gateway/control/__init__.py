"""The bundle changed through an API: checked whole, written whole, in force, and in the audit log.

A change goes from top to bottom through ``bodies`` (what may be asked for), ``changes`` (the edit
of a file's text, by ``splice``), ``control`` (precondition, check, write, reload) and ``audit``.
"""
