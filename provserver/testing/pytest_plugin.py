"""pytest fixtures for whoever tests against provserver: `pytest_plugins =
["provserver.testing.pytest_plugin"]`.

`provserver` is a running server in the test's process, with the demo domain, emulated endpoints, and a clock
that the test turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted

from provserver.testing.server import RunningServer


@pytest.fixture
def provserver() -> Iterator[RunningServer]:
    """Started on free loopback ports before the test, stopped after it."""
    from twisted.internet import reactor

    server: Any = pytest_twisted.blockon(pytest_twisted.ensureDeferred(RunningServer.start(reactor)))
    yield server
    pytest_twisted.blockon(pytest_twisted.ensureDeferred(server.stop()))
