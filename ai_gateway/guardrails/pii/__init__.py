"""Personal data with a grammar or a checksum, found in linear time.

``reading`` gives a text one byte a character; ``shapes``, ``patterned`` and ``phone`` find what
looks like personal data in it with RE2, the families beside them say which of it is real, and
``nearby`` which words stand around it. ``catalogue`` has all types.
"""
