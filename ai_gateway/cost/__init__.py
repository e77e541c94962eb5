"""What an answer cost: its tokens as the upstream counted them, at prices that are on record.

``tokens`` sorts a raw usage into counts that do not overlap, ``prices`` finds the rates, ``charge``
multiplies, ``estimate`` stands in where an upstream counted nothing, and ``reconcile`` works every
recorded cost out again. ``declared`` is what an operator writes; nothing is imported here, since
the manifest's own model imports that.
"""
