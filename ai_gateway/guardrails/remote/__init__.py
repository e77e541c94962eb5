"""What checks share that ask a model of the bundle.

``parameters`` is what they say in a policy, ``conversation`` what of a scene they show, ``fence``
keeps it data, ``asking`` puts it to the model and remembers what came of it, ``reading`` reads the
reply. ``safety`` and ``prompted`` are two families of models.
"""
