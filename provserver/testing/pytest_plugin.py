"""pytest fixtures for whoever tests against provserver: `pytest_plugins =
["provserver.testing.pytest_plugin"]`.

`provserver` is a running server in the test's process, with the demo domain, emulated endpoints, and a clock
that the test turns. `start_provserver` starts others, with settings and data of the test's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from provserver.testing.server import RunningServer

Starter = Callable[..., Coroutine[Any, Any, RunningServer]]
"""`await start_provserver(settings=[...], ...)`: the arguments of `RunningServer.start`."""


@pytest.fixture
def provserver() -> Iterator[RunningServer]:
    """Started on free loopback ports before the test, stopped after it."""
    from twisted.internet import reactor

    server: Any = pytest_twisted.blockon(ensureDeferred(RunningServer.start(reactor)))
    yield server
    pytest_twisted.blockon(ensureDeferred(server.stop()))


@pytest.fixture
def start_provserver() -> Iterator[Starter]:
    """Starts servers; all that still run are stopped after the test."""
    from twisted.internet import reactor

    started: list[RunningServer] = []

    async def start(**arguments: Any) -> RunningServer:
        server = await RunningServer.start(reactor, **arguments)
        started.append(server)
        return server

    yield start
    for server in reversed(started):
        pytest_twisted.blockon(ensureDeferred(server.stop()))
