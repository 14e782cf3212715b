"""What all tests share."""

from __future__ import annotations

pytest_plugins = [
    "provserver.testing.pytest_plugin",
    "plugins.served_instance",
    "plugins.harbour",
    "plugins.skipped_servers",
]
