"""Credentials in texts: what they look like by the issuers' published formats, and where they are.

``rule`` says what a rule is; ``models``, ``clouds``, ``tools``, ``services``, ``surroundings`` and
``general`` hold the rules; ``scan`` finds.
"""
