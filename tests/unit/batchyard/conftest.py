"""Property tests are timed by the suite, not example by example: a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("batchyard", deadline=None, max_examples=60)
settings.load_profile("batchyard")
