"""Hypothesis profiles, and the time limit that goes with the long one."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

NIGHTLY_TIMEOUT_S = 1800
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "normal")

settings.register_profile(
    "normal",
    max_examples=200,
    deadline=None,  # a shared machine pauses for longer than any example takes
    # In CI the same commit always tries the same examples; new ones are the nightly run's job.
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],  # the nested documents are big on purpose
)
settings.register_profile(
    "nightly",
    max_examples=10_000,
    deadline=None,
    print_blob=True,  # a failure at night has to be replayable in the morning
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests without a limit of their own the time that 10,000 examples take."""
    if PROFILE != "nightly":
        return
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(NIGHTLY_TIMEOUT_S))
