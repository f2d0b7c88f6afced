"""For all tests."""

import os

from hypothesis import settings

# No test measures time: an example that takes long on a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
# CI draws the same examples each time: what it finds is of the change. Others draw new ones.
settings.register_profile("ci", parent=settings.get_profile("untimed"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "untimed")
