"""For all tests."""

from hypothesis import settings

# No test measures time: an example that takes long on a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
