"""Hypothesis: the same examples in every run, so that a failure repeats. `OMS_PROPERTIES=thorough` looks much further."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, configuration, settings
from hypothesis.internal.conjecture import providers

# Hypothesis keeps notes about the code it reads; they belong with the other caches.
configuration.set_hypothesis_home_dir(".oms/cache/hypothesis")

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("gate", derandomize=True, max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=_QUIET)
settings.register_profile("thorough", max_examples=3000, stateful_step_count=120, deadline=None, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("OMS_PROPERTIES", "gate"))

if os.environ.get("OMS_PROPERTIES", "gate") == "gate":
    # Hypothesis also draws numbers and words that it finds in the project's modules, of those that happen to be loaded. Which ones are,
    # depends on what ran before in the same process: the examples would not be the same in every run.
    providers._get_local_constants = lambda: providers._local_constants
