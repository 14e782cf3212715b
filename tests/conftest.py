"""What all tests share."""

from __future__ import annotations

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
