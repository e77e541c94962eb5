"""Answers that were given before, to the same question or to one that means the same.

``key`` says what makes two requests the same, ``policy`` which may be answered so at all, ``exact``
and ``semantic`` find the answer in a store (``memory``, ``shared``), ``replay`` gives it as a
stream. ``declared`` is what an operator writes; nothing is imported here, since the manifest's own
model imports that.
"""
