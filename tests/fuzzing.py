"""What ``make fuzz`` runs property tests with: ten times the examples, other ones each time."""

from hypothesis import settings

settings.register_profile("fuzz", max_examples=1_000, deadline=None)
