"""Settings for all tests."""

from hypothesis import settings

# A shared machine is slow at times, and a slow example is no wrong one.
settings.register_profile("flowkit", deadline=None)
settings.load_profile("flowkit")
