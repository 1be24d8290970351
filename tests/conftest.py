"""Settings of all tests."""

from hypothesis import settings

# A property takes as long as the machine's other work lets it: time is no part of what it says.
settings.register_profile("eclip", deadline=None)
settings.load_profile("eclip")
