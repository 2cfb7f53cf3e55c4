"""A pytest plugin: Hypothesis always tries the same examples, and keeps none, so that a verdict can be repeated."""

import hypothesis

hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("mutation")
