"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# No test is timed: a machine may be busy. What CI has besides (`derandomize`) stays.
settings.register_profile(
    "untimed", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

pytest_plugins = [
    "provserver.testing.pytest_plugin",
    "plugins.declared_events",
    "plugins.served_instance",
    "plugins.real_endpoint",
    "plugins.skipped_servers",
]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors: a third of the time tests wait, for servers that others make."""
    return (os.cpu_count() or 1) + 1
