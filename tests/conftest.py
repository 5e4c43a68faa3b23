"""Settings that hold for every test."""

import os

from hypothesis import settings

# "default": no deadline, since shared machines stutter; on CI the same examples every time.
# "full": many more examples, for `make test-full`.
settings.register_profile("default", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("full", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
