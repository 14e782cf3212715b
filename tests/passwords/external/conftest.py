"""What the tests of the external policy share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from advised_servers import Advised
from stand_in import StandIn
from twisted.internet.defer import ensureDeferred

from provserver.testing.pytest_plugin import Starter


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandIn]]:
    """`stand_in(behave, tls)`: a policy service that listens, and is gone after the test."""
    begun: list[StandIn] = []

    def start(*arguments: Any, **named: Any) -> StandIn:
        service = StandIn(*arguments, **named).listen()
        begun.append(service)
        return service

    yield start
    for service in begun:
        pytest_twisted.blockon(ensureDeferred(service.stop()))


@pytest.fixture
def advised(start_provserver: Starter, stand_in: Callable[..., StandIn], tmp_path: Path) -> Advised:
    """`await advised(behave, ...)`: a server that asks a policy service, and the service."""
    return Advised(start_provserver, stand_in, tmp_path)
