"""What all tests share."""

from __future__ import annotations

pytest_plugins = [
    "provserver.testing.pytest_plugin",
    "plugins.declared_events",
    "plugins.served_instance",
    "plugins.real_endpoint",
    "plugins.skipped_servers",
]
